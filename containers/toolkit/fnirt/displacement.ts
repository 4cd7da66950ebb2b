import { determinant3, type Matrix4 } from '../../../imaging/affine.ts';
import { type Grid, type Image, voxelCount, voxelToFsl } from '../../../imaging/image.ts';
import { axisPositions, SplineLattice } from './lattice.ts';
import type { Spline } from './nonlinear.ts';

/** Displacements are rounded to a micrometre: the file shrinks by 40 %, and no voxel can tell. */
const STEPS_PER_MM = 1024;

/**
 * The whole transform as a relative displacement field of three volumes in mm on the reference grid: reference FSL mm
 * plus displacement = input FSL mm.
 * @param linear reference FSL mm to input FSL mm, to which the spline adds
 */
export function displacementField(spline: Spline, linear: Matrix4, reference: Grid): Image {
  const [nx, ny, nz] = reference.dims;
  const n = voxelCount(reference);
  const toMm = voxelToFsl(reference);
  const positions = axisPositions(reference.dims, toMm);
  const [x, y, z] = positions;
  const lattice = new SplineLattice(positions, spline.spacingMm, spline.knots);
  const data = new Float32Array(3 * n);
  for (let c = 0; c < 3; c++) {
    const out = data.subarray(c * n, (c + 1) * n);
    lattice.expand(spline.coefficients[c], out);
    const [mx, my, mz, offset] = linear.subarray(4 * c, 4 * c + 4);
    for (let k = 0, o = 0; k < nz; k++)
      for (let j = 0; j < ny; j++)
        for (let i = 0; i < nx; i++, o++) {
          const mapped = mx * x[i] + my * y[j] + mz * z[k] + offset + out[o];
          out[o] =
            Math.round(STEPS_PER_MM * (mapped - (c === 0 ? x[i] : c === 1 ? y[j] : z[k]))) / STEPS_PER_MM;
        }
  }
  return { grid: reference, volumes: 3, data };
}

/** Jacobian determinant of the transform at the reference's voxels, relative to the affine's: 1 where nothing is stretched. */
export function jacobianMap(spline: Spline, linear: Matrix4, reference: Grid): Image {
  const positions = axisPositions(reference.dims, voxelToFsl(reference));
  const determinants = jacobianAt(spline, linear, positions);
  return { grid: reference, volumes: 1, data: determinants };
}

/** Jacobian determinants, relative to that of `linear`, at the points of a grid of positions in mm along x, y, z. */
export function jacobianAt(
  spline: Spline,
  linear: Matrix4,
  positions: readonly Float64Array[],
): Float32Array {
  const count = positions[0].length * positions[1].length * positions[2].length;
  const slopes = [0, 1, 2].map((axis) => {
    const lattice = new SplineLattice(positions, spline.spacingMm, spline.knots, axis);
    return spline.coefficients.map((c) => {
      const out = new Float32Array(count);
      lattice.expand(c, out);
      return out;
    });
  });
  const m = Float64Array.from(linear);
  const scale = 1 / determinant3(linear);
  const out = new Float32Array(count);
  for (let o = 0; o < count; o++) {
    for (let c = 0; c < 3; c++)
      for (let axis = 0; axis < 3; axis++) m[4 * c + axis] = linear[4 * c + axis] + slopes[axis][c][o];
    out[o] = scale * determinant3(m);
  }
  return out;
}

/** Samples per knot interval: the determinant of cubic splines varies little between them. */
const SAMPLES = 3;

/** Least and largest Jacobian determinant over the lattice, relative to that of `linear`; 0 or less: the transform folds. */
export function jacobianRange(spline: Spline, linear: Matrix4): [number, number] {
  // The first and last knot lie outside what the spline covers.
  const positions = spline.knots.map((n, axis) =>
    Float64Array.from({ length: (n - 3) * SAMPLES + 1 }, (_, i) => (i * spline.spacingMm[axis]) / SAMPLES),
  );
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const determinant of jacobianAt(spline, linear, positions)) {
    least = Math.min(least, determinant);
    most = Math.max(most, determinant);
  }
  return [least, most];
}
