/** The Gauss-Newton Hessian of a spline field, applied to vectors without forming it. */
import { type AxisBasis, contract, expand } from './spline.ts';

export type Bases = readonly [AxisBasis, AxisBasis, AxisBasis];

/**
 * (v, out): out = sum over k, l of B_k' W_kl B_l v, where B_k evaluates the field (or one of its derivatives within a slice) on the
 * samples and W_kl is an image. Works slice by slice, so that what is between the coefficients and back stays in cache.
 * @param bases of each part k; all share their z basis
 * @param weights upper triangle: W_kl is `weights[k][l - k]`
 */
export function curvature(
  bases: readonly Bases[],
  weights: readonly (readonly Float32Array[])[],
): (v: Float64Array, out: Float64Array) => void {
  const [bx, by, bz] = bases[0];
  const plane = bx.samples * by.samples;
  const parts = bases.length;
  const input = new Float32Array(bx.knots * by.knots * bz.knots);
  const alongX = new Float32Array(bx.samples * by.knots * bz.knots);
  const forward = bases.map(() => new Float32Array(plane * bz.knots));
  const backward = bases.map(() => new Float32Array(plane * bz.knots));
  const fields = bases.map(() => new Float32Array(plane));
  const product = new Float32Array(plane);
  const total = new Float32Array(input.length);
  const ranges = weighted(weights, plane, bz.samples);

  return (v, out) => {
    input.set(v);
    for (let k = 0; k < parts; k++) {
      if (k === 0 || bases[k][0] !== bases[k - 1][0])
        expand(input, alongX, bases[k][0], 1, by.knots * bz.knots);
      expand(alongX, forward[k], bases[k][1], bx.samples, bz.knots);
      backward[k].fill(0);
    }
    for (let z = 0; z < bz.samples; z++) {
      const at = bz.first[z] * plane;
      const from = ranges[2 * z];
      const end = ranges[2 * z + 1];
      const a = bz.weights[4 * z];
      const b = bz.weights[4 * z + 1];
      const c = bz.weights[4 * z + 2];
      const d = bz.weights[4 * z + 3];
      for (let k = 0; k < parts; k++) {
        const input = forward[k];
        const to = fields[k];
        for (let q = from; q < end; q++)
          to[q] =
            a * input[at + q] +
            b * input[at + plane + q] +
            c * input[at + 2 * plane + q] +
            d * input[at + 3 * plane + q];
      }
      const o = z * plane;
      for (let k = 0; k < parts; k++) {
        const to = backward[k];
        for (let l = 0; l < parts; l++) {
          const w = l >= k ? weights[k][l - k] : weights[l][k - l];
          const f = fields[l];
          if (l === 0) for (let q = from; q < end; q++) product[q] = w[o + q] * f[q];
          else for (let q = from; q < end; q++) product[q] += w[o + q] * f[q];
        }
        for (let q = from; q < end; q++) {
          const value = product[q];
          to[at + q] += a * value;
          to[at + plane + q] += b * value;
          to[at + 2 * plane + q] += c * value;
          to[at + 3 * plane + q] += d * value;
        }
      }
    }
    total.fill(0);
    for (let k = 0; k < parts; k++) {
      alongX.fill(0);
      contract(backward[k], alongX, bases[k][1], bx.samples, bz.knots);
      contract(alongX, total, bases[k][0], 1, by.knots * bz.knots);
    }
    out.set(total);
  };
}

/** Per slice the first sample with any weight and the one after the last: beyond them there is nothing to do. */
function weighted(weights: readonly (readonly Float32Array[])[], plane: number, slices: number): Int32Array {
  const ranges = new Int32Array(2 * slices);
  const any = (o: number) => weights.some((row) => row.some((w) => w[o] !== 0));
  for (let z = 0; z < slices; z++) {
    let from = 0;
    let end = plane;
    while (from < end && !any(z * plane + from)) from++;
    while (end > from && !any(z * plane + end - 1)) end--;
    ranges[2 * z] = from;
    ranges[2 * z + 1] = end;
  }
  return ranges;
}
