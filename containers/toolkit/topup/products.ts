/** The loops over samples behind the least-squares problem (model.ts): sums and products of images, or of slabs of them. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Sampled, Slab } from './sample.ts';

/** Mean of the volumes (to `mean`). @returns sum of squared differences from it, and the number of samples inside */
export function compare(
  volumes: readonly Sampled[],
  inside: Uint8Array,
  mean: Float32Array,
): { sum: number; count: number } {
  mean.fill(0);
  for (const { modulated } of volumes)
    for (let o = 0; o < mean.length; o++) mean[o] += modulated[o] / volumes.length;
  let count = 0;
  for (let o = 0; o < mean.length; o++) count += inside[o];
  let sum = 0;
  for (const { modulated } of volumes)
    for (let o = 0; o < mean.length; o++) {
      const difference = inside[o] * (modulated[o] - mean[o]);
      sum += difference * difference;
    }
  return { sum, count };
}

/**
 * Adds one volume to the normal equations, before the mean's share is taken off.
 * @param out sums of derivatives with respect to the field's value and slope, the same times residuals, and products
 *   value-value, value-slope and slope-slope
 */
export function accumulate(
  { value, modulated, along }: Sampled,
  mean: Float32Array,
  inside: Uint8Array,
  perHz: number,
  scale: number,
  out: readonly Float32Array[],
): void {
  const [sum0, sumK, slope0, slopeK, w00, w0k, wkk] = out;
  for (let o = 0; o < value.length; o++) {
    if (inside[o] === 0) continue;
    const a = perHz * along[o];
    const b = perHz * value[o];
    const residual = scale * (modulated[o] - mean[o]);
    sum0[o] += a;
    sumK[o] += b;
    slope0[o] += residual * a;
    slopeK[o] += residual * b;
    w00[o] += scale * a * a;
    w0k[o] += scale * a * b;
    wkk[o] += scale * b * b;
  }
}

/** w -= factor x a x b */
export function subtractProduct(w: Float32Array, a: Float32Array, b: Float32Array, factor: number): void {
  for (let o = 0; o < w.length; o++) w[o] -= factor * a[o] * b[o];
}

/** Slab (`out`) of what a movement does to a volume: its gradient times the `derivative` of where each voxel is sampled. */
export function movementImage(
  { gradient }: Sampled,
  derivative: Matrix4,
  { dims, step, from, end }: Slab,
  inside: Uint8Array,
  out: Float32Array,
): void {
  const [gx, gy, gz] = gradient;
  const [xx, xy, xz, x0, yx, yy, yz, y0, zx, zy, zz, z0] = derivative;
  let o = 0;
  for (let k = from; k < end; k++)
    for (let j = 0; j < dims[1]; j++)
      for (let i = 0; i < dims[0]; i++, o++) {
        if (inside[o] === 0) {
          out[o] = 0;
          continue;
        }
        const x = i * step;
        const y = j * step;
        const z = k * step;
        out[o] =
          gx[o] * (xx * x + xy * y + xz * z + x0) +
          gy[o] * (yx * x + yy * y + yz * z + y0) +
          gz[o] * (zx * x + zy * y + zz * z + z0);
      }
}

/** out = a x (s own - sum / n): what a movement (a) and one part of the field have to do with each other. */
export function mixedProduct(
  a: Float32Array,
  own: Float32Array | undefined,
  s: number,
  sum: Float32Array,
  n: number,
  out: Float32Array,
): void {
  if (own) for (let o = 0; o < out.length; o++) out[o] = a[o] * (s * own[o] - sum[o] / n);
  else for (let o = 0; o < out.length; o++) out[o] = (-a[o] * sum[o]) / n;
}

/** sum over samples of a x (b - c) */
export function dotDifference(a: Float32Array, b: Float32Array, c: Float32Array): number {
  let sum = 0;
  for (let o = 0; o < a.length; o++) sum += a[o] * (b[o] - c[o]);
  return sum;
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let o = 0; o < a.length; o++) sum += a[o] * b[o];
  return sum;
}
