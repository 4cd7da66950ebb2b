/** Separable Gaussian smoothing. */
import type { Dims } from './image.ts';

/** FWHM = SIGMA_TO_FWHM x sigma. */
export const SIGMA_TO_FWHM = 2 * Math.sqrt(2 * Math.log(2));

/** A copy of one volume smoothed by a Gaussian of `sigma` voxels per axis; weights are renormalized at the edges. */
export function smooth(
  data: Float32Array,
  dims: Dims,
  sigma: readonly [number, number, number],
): Float32Array {
  const out = Float32Array.from(data);
  const stride = [1, dims[0], dims[0] * dims[1]];
  for (let axis = 0; axis < 3; axis++) {
    if (!(sigma[axis] > 1e-3) || dims[axis] === 1) continue;
    const radius = Math.min(dims[axis] - 1, Math.ceil(4 * sigma[axis]));
    const kernel = Float64Array.from({ length: radius + 1 }, (_, r) =>
      Math.exp(-0.5 * (r / sigma[axis]) ** 2),
    );
    const n = dims[axis];
    const s = stride[axis];
    const line = new Float64Array(n);
    const weightAt = new Float64Array(n);
    for (let i = 0; i < n; i++)
      for (let r = -radius; r <= radius; r++) if (i + r >= 0 && i + r < n) weightAt[i] += kernel[Math.abs(r)];
    const [a, b] = [0, 1, 2].filter((x) => x !== axis);
    for (let v = 0; v < dims[b]; v++)
      for (let u = 0; u < dims[a]; u++) {
        const start = u * stride[a] + v * stride[b];
        for (let i = 0; i < n; i++) line[i] = out[start + i * s];
        for (let i = 0; i < n; i++) {
          let sum = 0;
          const lo = Math.max(0, i - radius);
          const hi = Math.min(n - 1, i + radius);
          for (let q = lo; q <= hi; q++) sum += kernel[q < i ? i - q : q - i] * line[q];
          out[start + i * s] = sum / weightAt[i];
        }
      }
  }
  return out;
}
