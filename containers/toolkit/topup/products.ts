/** The loops over samples behind the least-squares problem (model.ts): sums and products of images. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import type { Sampled } from './sample.ts';

/** Undistorted volume: value x density, with the density applied to the derivatives too. */
export function modulate(sampled: Sampled, slope: Float32Array, perHz: number, out: Float32Array): void {
  const { value, gradient } = sampled;
  for (let o = 0; o < out.length; o++) out[o] = (1 + perHz * slope[o]) * value[o];
  for (const g of gradient) for (let o = 0; o < out.length; o++) g[o] *= 1 + perHz * slope[o];
}

/**
 * Adds one volume to the normal equations, before the mean's share is taken off.
 * @param out sums of derivatives with respect to the field's value and slope, the same times residuals, and products
 *   value-value, value-slope and slope-slope
 */
export function accumulate(
  sampled: Sampled,
  modulated: Float32Array,
  mean: Float32Array,
  inside: Uint8Array,
  perHz: number,
  scale: number,
  out: readonly Float32Array[],
): void {
  const { value, along } = sampled;
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

/** Image (`out`) of what a movement does to a volume: its gradient times the `derivative` of where each voxel is sampled. */
export function movementImage(
  gradient: readonly Float32Array[],
  derivative: Matrix4,
  dims: Dims,
  step: number,
  inside: Uint8Array,
  out: Float32Array,
): void {
  const [gx, gy, gz] = gradient;
  const [xx, xy, xz, x0, yx, yy, yz, y0, zx, zy, zz, z0] = derivative;
  let o = 0;
  for (let k = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++)
      for (let i = 0; i < dims[0]; i++, o++) {
        const x = i * step;
        const y = j * step;
        const z = k * step;
        out[o] =
          inside[o] *
          (gx[o] * (xx * x + xy * y + xz * z + x0) +
            gy[o] * (yx * x + yy * y + yz * z + y0) +
            gz[o] * (zx * x + zy * y + zz * z + z0));
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

/** sum += factor x a */
export function addTo(sum: Float32Array, a: Float32Array, factor: number): void {
  for (let o = 0; o < sum.length; o++) sum[o] += factor * a[o];
}

export function squaredDistance(a: Float32Array, b: Float32Array, inside: Uint8Array): number {
  let sum = 0;
  for (let o = 0; o < a.length; o++) {
    const d = inside[o] * (a[o] - b[o]);
    sum += d * d;
  }
  return sum;
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let o = 0; o < a.length; o++) sum += a[o] * b[o];
  return sum;
}
