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
  for (const axis of [0, 1, 2] as const)
    if (sigma[axis] > 1e-3 && dims[axis] > 1) smoothAxis(out, dims, axis, sigma[axis]);
  return out;
}

/** Smooths along one axis, in place. Whole rows of neighbouring lines go abreast, which memory likes. */
function smoothAxis(data: Float32Array, dims: Dims, axis: 0 | 1 | 2, sigma: number): void {
  const n = dims[axis];
  const radius = Math.min(n - 1, Math.ceil(4 * sigma));
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, r) =>
    Math.exp(-0.5 * ((r - radius) / sigma) ** 2),
  );
  const weightAt = new Float64Array(n);
  for (let i = 0; i < n; i++)
    for (let r = -radius; r <= radius; r++) if (i + r >= 0 && i + r < n) weightAt[i] += kernel[r + radius];
  // Along x the bundle is a row's neighbours in y, laid abreast.
  const width = axis === 0 ? dims[1] : dims[0];
  // Distances between a line's voxels, between lines of a bundle and between bundles.
  const step = axis === 0 ? 1 : axis === 1 ? dims[0] : dims[0] * dims[1];
  const across = axis === 0 ? dims[0] : 1;
  const next = axis === 2 ? dims[0] : dims[0] * dims[1];
  const bundles = axis === 2 ? dims[1] : data.length / next;
  const lines = new Float64Array(n * width);
  const sum = new Float64Array(width);
  for (let bundle = 0; bundle < bundles; bundle++) {
    const start = bundle * next;
    for (let i = 0; i < n; i++)
      for (let v = 0; v < width; v++) lines[i * width + v] = data[start + i * step + v * across];
    for (let i = 0; i < n; i++) {
      const lo = Math.max(0, i - radius);
      const hi = Math.min(n - 1, i + radius);
      sum.fill(0);
      for (let q = lo; q <= hi; q++) {
        const k = kernel[q - i + radius];
        const from = q * width;
        for (let v = 0; v < width; v++) sum[v] += k * lines[from + v];
      }
      const o = start + i * step;
      for (let v = 0; v < width; v++) data[o + v * across] = sum[v] / weightAt[i];
    }
  }
}
