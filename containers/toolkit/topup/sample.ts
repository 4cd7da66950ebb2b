/** A level's images: smoothed, thinned out, ready to be sampled with gradients by cubic B-splines. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { splineCoefficients } from '../../../imaging/interpolate.ts';
import { SIGMA_TO_FWHM } from '../../../imaging/smooth.ts';

/** Gaussian smoothing and keeping every `step`-th voxel, one axis after the other; weights renormalized at edges. */
function smoothThin(
  data: Float32Array,
  dims: Dims,
  sigma: readonly number[],
  step: number,
): { data: Float32Array; dims: Dims } {
  let current = data;
  const size = [...dims];
  for (const axis of [2, 1, 0]) {
    const n = size[axis];
    const kept = Math.ceil(n / step);
    const radius = sigma[axis] > 1e-3 ? Math.min(n - 1, Math.ceil(3.5 * sigma[axis])) : 0;
    if (radius === 0 && step === 1) continue;
    const inner = size.slice(0, axis).reduce((p, v) => p * v, 1);
    const outer = size.slice(axis + 1).reduce((p, v) => p * v, 1);
    const out = new Float32Array(inner * kept * outer);
    for (let i = 0; i < kept; i++) {
      const centre = i * step;
      const lo = Math.max(0, centre - radius);
      const hi = Math.min(n - 1, centre + radius);
      const w: number[] = [];
      for (let q = lo; q <= hi; q++)
        w.push(radius === 0 ? 1 : Math.exp(-0.5 * ((q - centre) / sigma[axis]) ** 2));
      const total = w.reduce((p, v) => p + v, 0);
      for (let o = 0; o < outer; o++) {
        const to = (o * kept + i) * inner;
        for (let q = lo; q <= hi; q++) {
          const weight = w[q - lo] / total;
          const from = (o * n + q) * inner;
          for (let s = 0; s < inner; s++) out[to + s] += weight * current[from + s];
        }
      }
    }
    current = out;
    size[axis] = kept;
  }
  return { data: current, dims: [size[0], size[1], size[2]] };
}

/** Spline coefficients of a volume smoothed by `fwhm` mm and thinned out to every `step`-th voxel, from voxel 0 on. */
export function levelVolume(
  volume: Float32Array,
  dims: Dims,
  voxelSizes: readonly [number, number, number],
  fwhm: number,
  step: number,
): { coefficients: Float32Array; dims: Dims } {
  const thin = smoothThin(
    volume,
    dims,
    voxelSizes.map((mm) => fwhm / SIGMA_TO_FWHM / mm),
    step,
  );
  return { coefficients: splineCoefficients(thin.data, thin.dims), dims: thin.dims };
}

/**
 * Voxels beyond the outermost centres that still count as inside: room for rounding only. Half a voxel, which sampling
 * for display would allow, compares a mirrored slice with a real one and bends the field there.
 */
const SLACK = 0.02;

/** Values and gradients of one volume at the samples of a level. */
export interface Sampled {
  readonly value: Float32Array;
  /** Per axis, per voxel of the full image; only the axes asked for. */
  readonly gradient: readonly (Float32Array | undefined)[];
}

function weights(t: number, w: Float64Array, d: Float64Array): void {
  const s = 1 - t;
  w[0] = (s * s * s) / 6;
  w[1] = 2 / 3 - 0.5 * t * t * (2 - t);
  w[2] = 2 / 3 - 0.5 * s * s * (2 - s);
  w[3] = (t * t * t) / 6;
  d[0] = -0.5 * s * s;
  d[1] = t * (1.5 * t - 2);
  d[2] = -s * (1.5 * s - 2);
  d[3] = 0.5 * t * t;
}

/** Indices of the four knots around `i`, mirrored at the ends. */
function neighbours(i: number, n: number, stride: number, out: Int32Array): void {
  for (let q = 0; q < 4; q++) {
    let p = i - 1 + q;
    if (p < 0) p = Math.min(-p, n - 1);
    else if (p >= n) p = Math.max(2 * n - 2 - p, 0);
    out[q] = p * stride;
  }
}

const [wx, wy, wz, dx, dy, dz] = Array.from({ length: 6 }, () => new Float64Array(4));
const [ix, iy, iz] = Array.from({ length: 3 }, () => new Int32Array(4));

/**
 * Samples a level's volume at movement(x) + shift(x) along `axis` for each x of the level's grid.
 * @param coefficients from {@link levelVolume}  @param dims of the thinned volume, which are the level's samples too
 * @param movement full voxels of the reference to full voxels of the volume
 * @param perHz full voxels of shift along `axis` per unit of `field`
 * @param inside is set to 0 where the sample lies beyond the volume
 */
export function sampleLevel(
  coefficients: Float32Array,
  dims: Dims,
  step: number,
  movement: Matrix4,
  field: Float32Array,
  perHz: number,
  axis: 0 | 1,
  out: Sampled,
  inside: Uint8Array,
): void {
  const [nx, ny, nz] = dims;
  const m = movement;
  const { value } = out;
  const [gx, gy, gz] = out.gradient;
  const [tx, ty, tz] = [m[3] / step, m[7] / step, m[11] / step];
  const shiftX = axis === 0 ? perHz / step : 0;
  const shiftY = axis === 1 ? perHz / step : 0;
  const lo = -SLACK;
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        let x = m[0] * i + m[1] * j + m[2] * k + tx + shiftX * field[o];
        let y = m[4] * i + m[5] * j + m[6] * k + ty + shiftY * field[o];
        let z = m[8] * i + m[9] * j + m[10] * k + tz;
        if (!(x >= lo && y >= lo && z >= lo && x <= nx - 1 - lo && y <= ny - 1 - lo && z <= nz - 1 - lo)) {
          inside[o] = 0;
          x = Math.min(Math.max(x, 0), nx - 1);
          y = Math.min(Math.max(y, 0), ny - 1);
          z = Math.min(Math.max(z, 0), nz - 1);
        }
        const fx = Math.floor(x);
        const fy = Math.floor(y);
        const fz = Math.floor(z);
        weights(x - fx, wx, dx);
        weights(y - fy, wy, dy);
        weights(z - fz, wz, dz);
        neighbours(fx, nx, 1, ix);
        neighbours(fy, ny, nx, iy);
        neighbours(fz, nz, nx * ny, iz);
        let sum = 0;
        let sx = 0;
        let sy = 0;
        let sz = 0;
        for (let c = 0; c < 4; c++) {
          let plane = 0;
          let planeX = 0;
          let planeY = 0;
          for (let b = 0; b < 4; b++) {
            const at = iz[c] + iy[b];
            const p = coefficients[at + ix[0]];
            const q = coefficients[at + ix[1]];
            const r = coefficients[at + ix[2]];
            const s = coefficients[at + ix[3]];
            const row = wx[0] * p + wx[1] * q + wx[2] * r + wx[3] * s;
            plane += wy[b] * row;
            planeY += dy[b] * row;
            if (gx) planeX += wy[b] * (dx[0] * p + dx[1] * q + dx[2] * r + dx[3] * s);
          }
          sum += wz[c] * plane;
          sx += wz[c] * planeX;
          sy += wz[c] * planeY;
          sz += dz[c] * plane;
        }
        value[o] = sum;
        if (gx) gx[o] = sx / step;
        if (gy) gy[o] = sy / step;
        if (gz) gz[o] = sz / step;
      }
}

/** A volume with its head back where the reference's is, and where that left no data. */
export interface Carried {
  readonly volume: Float32Array;
  /** 0 where the volume had nothing to show. */
  readonly inside: Uint8Array;
}

/**
 * Undoes movement, for levels that hold it: these then sample along lines ({@link sampleLines}), with 4 coefficients
 * instead of 64. (The phase-encode axis is taken as that of the reference; over a shift of 3 voxels and a rotation of 1
 * degree that is 0.05 voxel off sideways.)
 */
export function carryVolume(volume: Float32Array, dims: Dims, movement: Matrix4): Carried {
  const inside = new Uint8Array(volume.length).fill(1);
  const value = new Float32Array(volume.length);
  const still = new Float32Array(volume.length);
  const out = { value, gradient: [undefined, undefined, undefined] };
  sampleLevel(splineCoefficients(volume, dims), dims, 1, movement, still, 0, 0, out, inside);
  return { volume: value, inside };
}

/** In-place cubic B-spline prefilter along one axis, mirror boundaries (Unser 1999), all lines abreast. */
function prefilterAxis(data: Float32Array, dims: Dims, axis: 0 | 1): void {
  const n = dims[axis];
  if (n === 1) return;
  const pole = Math.sqrt(3) - 2;
  const inner = axis === 0 ? 1 : dims[0];
  const first = new Float64Array(inner);
  for (let block = 0; block < data.length; block += n * inner) {
    // Mirrored past the end as often as the pole's powers matter: beyond 14 they are under 1e-8.
    first.fill(0);
    for (let i = 0; i < 14; i++) {
      const m = i % (2 * n - 2);
      const from = block + (m < n ? m : 2 * n - 2 - m) * inner;
      for (let s = 0; s < inner; s++) first[s] += pole ** i * data[from + s];
    }
    for (let s = 0; s < inner; s++) data[block + s] = 6 * first[s];
    for (let i = 1; i < n; i++) {
      const at = block + i * inner;
      for (let s = 0; s < inner; s++) data[at + s] = 6 * data[at + s] + pole * data[at - inner + s];
    }
    const end = block + (n - 1) * inner;
    const factor = pole / (pole * pole - 1);
    for (let s = 0; s < inner; s++) data[end + s] = factor * (data[end + s] + pole * data[end - inner + s]);
    for (let i = n - 2; i >= 0; i--) {
      const at = block + i * inner;
      for (let s = 0; s < inner; s++) data[at + s] = pole * (data[at + inner + s] - data[at + s]);
    }
  }
}

/** As {@link levelVolume}, with coefficients along `axis` only: for {@link sampleLines}. */
export function levelLines(
  volume: Float32Array,
  dims: Dims,
  voxelSizes: readonly [number, number, number],
  fwhm: number,
  step: number,
  axis: 0 | 1,
): { coefficients: Float32Array; dims: Dims } {
  const thin = smoothThin(
    volume,
    dims,
    voxelSizes.map((mm) => fwhm / SIGMA_TO_FWHM / mm),
    step,
  );
  const coefficients = thin.data === volume ? volume.slice() : thin.data;
  prefilterAxis(coefficients, thin.dims, axis);
  return { coefficients, dims: thin.dims };
}

/** As {@link sampleLevel} for {@link levelLines} of a carried volume: value, and gradient along `axis`. */
export function sampleLines(
  coefficients: Float32Array,
  dims: Dims,
  step: number,
  field: Float32Array,
  perHz: number,
  axis: 0 | 1,
  value: Float32Array,
  gradient: Float32Array,
  inside: Uint8Array,
): void {
  const n = dims[axis];
  const stride = axis === 0 ? 1 : dims[0];
  const scale = perHz / step;
  const last = n - 1;
  let o = 0;
  for (let k = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++)
      for (let i = 0; i < dims[0]; i++, o++) {
        const at = axis === 0 ? i : j;
        let x = at + scale * field[o];
        if (!(x >= -SLACK && x <= last + SLACK)) {
          inside[o] = 0;
          x = x < 0 ? 0 : last;
        }
        const f = Math.floor(x);
        const t = x - f;
        const s = 1 - t;
        const base = o - at * stride;
        const p = coefficients[base + Math.min(Math.abs(f - 1), last) * stride];
        const q = coefficients[base + Math.abs(f) * stride];
        const r = coefficients[base + (f + 1 > last ? Math.max(0, 2 * last - f - 1) : f + 1) * stride];
        const u = coefficients[base + (f + 2 > last ? Math.max(0, 2 * last - f - 2) : f + 2) * stride];
        value[o] =
          (s * s * s * p + t * t * t * u) / 6 +
          (2 / 3 - 0.5 * t * t * (2 - t)) * q +
          (2 / 3 - 0.5 * s * s * (2 - s)) * r;
        gradient[o] =
          (-0.5 * s * s * p + t * (1.5 * t - 2) * q - s * (1.5 * s - 2) * r + 0.5 * t * t * u) / step;
      }
}
