import type { Matrix4 } from '../../../imaging/affine.ts';
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
