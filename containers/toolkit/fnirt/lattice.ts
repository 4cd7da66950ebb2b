/**
 * A scalar function of cubic B-splines on a regular lattice, seen on a voxel grid: the tensor product lets values,
 * and the transpose of that map, be computed one axis after the other. Nothing here allocates after construction.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { cubicBspline, cubicSlope } from '../warp/coefficients.ts';

/** Where the voxels of one axis lie among the knots: four weights from knot `first` on. */
interface Axis {
  readonly knots: number;
  readonly first: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Knots along an axis, as many as FNIRT has; knot i lies at (i - 1) x spacing.
 * @param voxels of the reference along the axis  @param spacing of the knots, in voxels of the reference
 */
export function knotsFor(voxels: number, spacing: number): number {
  return Math.max(4, Math.ceil((voxels + 1) / spacing - 1e-9) + 2);
}

/** Where voxels lie along each axis in mm. @param toMm voxel indices to mm; diagonal but for the offsets */
export function axisPositions(dims: Dims, toMm: Matrix4): Float64Array[] {
  return dims.map((n, a) => Float64Array.from({ length: n }, (_, i) => toMm[5 * a] * i + toMm[4 * a + 3]));
}

/** @param positionsMm where the voxels lie; clamped into the lattice  @param slope weights of the derivative (per mm) */
function axisOf(positionsMm: Float64Array, spacingMm: number, knots: number, slope: boolean): Axis {
  const first = new Int32Array(positionsMm.length);
  const weights = new Float64Array(4 * positionsMm.length);
  for (let i = 0; i < positionsMm.length; i++) {
    const u = Math.max(0, Math.min(knots - 3, positionsMm[i] / spacingMm));
    first[i] = Math.min(knots - 4, Math.floor(u));
    const w = weights.subarray(4 * i, 4 * i + 4);
    if (slope) {
      cubicSlope(u - first[i], w);
      for (let a = 0; a < 4; a++) w[a] /= spacingMm;
    } else cubicBspline(u - first[i], w);
  }
  return { knots, first, weights };
}

/** The map between spline coefficients and voxel values. */
export class SplineLattice {
  /** Knots along x, y, z. */
  readonly knots: Dims;
  /** Voxels along x, y, z. */
  readonly dims: Dims;
  private readonly axes: readonly Axis[];
  private readonly squared: readonly Axis[];
  /** Voxels along x, knots along y and z. */
  private readonly alongX: Float64Array;
  /** Voxels along x and y, knots along z. */
  private readonly alongXY: Float64Array;

  /**
   * @param positionsMm per axis, where the voxels lie
   * @param knots per axis, see {@link knotsFor}
   * @param slopeAxis gives the derivative along this axis (per mm) in place of the value
   */
  constructor(
    positionsMm: readonly Float64Array[],
    spacingMm: readonly [number, number, number],
    knots: Dims,
    slopeAxis?: number,
  ) {
    this.knots = knots;
    this.dims = [positionsMm[0].length, positionsMm[1].length, positionsMm[2].length];
    this.axes = positionsMm.map((p, a) => axisOf(p, spacingMm[a], knots[a], a === slopeAxis));
    this.squared = this.axes.map((axis) => ({ ...axis, weights: axis.weights.map((w) => w * w) }));
    this.alongX = new Float64Array(this.dims[0] * knots[1] * knots[2]);
    this.alongXY = new Float64Array(this.dims[0] * this.dims[1] * knots[2]);
  }

  /** Values at the voxels of the spline with `coefficients`. */
  expand(coefficients: Float64Array, out: Float32Array): void {
    const { alongX, alongXY } = this;
    const [nx, ny, nz] = this.dims;
    const [kx, ky, kz] = this.knots;
    const [x, y, z] = this.axes;
    for (let r = 0, o = 0; r < ky * kz; r++)
      for (let i = 0; i < nx; i++, o++) {
        const c = r * kx + x.first[i];
        const w = 4 * i;
        alongX[o] =
          x.weights[w] * coefficients[c] +
          x.weights[w + 1] * coefficients[c + 1] +
          x.weights[w + 2] * coefficients[c + 2] +
          x.weights[w + 3] * coefficients[c + 3];
      }
    for (let k = 0, o = 0; k < kz; k++)
      for (let j = 0; j < ny; j++) {
        const [w0, w1, w2, w3] = y.weights.subarray(4 * j, 4 * j + 4);
        for (let i = 0, c = nx * (k * ky + y.first[j]); i < nx; i++, o++, c++)
          alongXY[o] =
            w0 * alongX[c] + w1 * alongX[c + nx] + w2 * alongX[c + 2 * nx] + w3 * alongX[c + 3 * nx];
      }
    const plane = nx * ny;
    for (let k = 0, o = 0; k < nz; k++) {
      const [w0, w1, w2, w3] = z.weights.subarray(4 * k, 4 * k + 4);
      for (let i = 0, c = plane * z.first[k]; i < plane; i++, o++, c++)
        out[o] =
          w0 * alongXY[c] +
          w1 * alongXY[c + plane] +
          w2 * alongXY[c + 2 * plane] +
          w3 * alongXY[c + 3 * plane];
    }
  }

  /** The transpose of {@link expand}: for each coefficient, the sum of `values` weighted by its spline. */
  gather(values: Float32Array, out: Float64Array): void {
    this.gatherWith(this.axes, values, out);
  }

  /** As {@link gather} with the squared splines: the diagonal of expand' diag(values) expand. */
  gatherSquared(values: Float32Array, out: Float64Array): void {
    this.gatherWith(this.squared, values, out);
  }

  private gatherWith([x, y, z]: readonly Axis[], values: Float32Array, out: Float64Array): void {
    const { alongX, alongXY } = this;
    const [nx, ny, nz] = this.dims;
    const [kx, ky, kz] = this.knots;
    const plane = nx * ny;
    alongXY.fill(0);
    for (let k = 0, o = 0; k < nz; k++) {
      const [w0, w1, w2, w3] = z.weights.subarray(4 * k, 4 * k + 4);
      for (let i = 0, c = plane * z.first[k]; i < plane; i++, o++, c++) {
        const v = values[o];
        alongXY[c] += w0 * v;
        alongXY[c + plane] += w1 * v;
        alongXY[c + 2 * plane] += w2 * v;
        alongXY[c + 3 * plane] += w3 * v;
      }
    }
    alongX.fill(0);
    for (let k = 0, o = 0; k < kz; k++)
      for (let j = 0; j < ny; j++) {
        const [w0, w1, w2, w3] = y.weights.subarray(4 * j, 4 * j + 4);
        for (let i = 0, c = nx * (k * ky + y.first[j]); i < nx; i++, o++, c++) {
          const v = alongXY[o];
          alongX[c] += w0 * v;
          alongX[c + nx] += w1 * v;
          alongX[c + 2 * nx] += w2 * v;
          alongX[c + 3 * nx] += w3 * v;
        }
      }
    out.fill(0);
    for (let r = 0, o = 0; r < ky * kz; r++)
      for (let i = 0; i < nx; i++, o++) {
        const c = r * kx + x.first[i];
        const v = alongX[o];
        for (let a = 0; a < 4; a++) out[c + a] += x.weights[4 * i + a] * v;
      }
  }
}

/** Coefficients of the same spline on a lattice of half the spacing (exact: the two-scale relation of cubic B-splines). */
export function refine(coefficients: Float64Array, from: Dims, to: Dims): Float64Array {
  let [values, dims] = [coefficients, [...from]];
  for (let axis = 0; axis < 3; axis++) {
    const [n, m] = [from[axis], to[axis]];
    const inner = dims.slice(0, axis).reduce((a, b) => a * b, 1);
    const outer = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const out = new Float64Array(inner * m * outer);
    for (let b = 0; b < outer; b++)
      for (let i = 0; i < m; i++) {
        // Fine knot i lies at (i - 1) / 2 coarse spacings: on coarse knot `c`, or halfway between `c` and the next.
        const c = Math.floor((i - 1) / 2) + 1;
        const onKnot = (i - 1) % 2 === 0;
        for (let a = 0; a < inner; a++) {
          const at = (k: number) => values[a + inner * (Math.max(0, Math.min(n - 1, k)) + n * b)];
          out[a + inner * (i + m * b)] = onKnot
            ? (at(c - 1) + 6 * at(c) + at(c + 1)) / 8
            : (at(c) + at(c + 1)) / 2;
        }
      }
    values = out;
    dims = dims.map((d, k) => (k === axis ? m : d));
  }
  return values;
}
