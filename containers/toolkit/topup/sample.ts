/** A level's images: smoothed, thinned out, ready to be sampled with gradients by cubic B-splines. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { SIGMA_TO_FWHM } from '../../../imaging/smooth.ts';
import { sampleSpline, sampleSplineGradient, splineCoefficients } from '../../../imaging/spline.ts';

/**
 * A volume smoothed by `fwhm` mm and thinned out to every `step`-th voxel from voxel 0 on, one axis after the other;
 * weights renormalized at edges. Always a copy.
 */
export function levelImage(
  data: Float32Array,
  dims: Dims,
  voxelSizes: readonly [number, number, number],
  fwhm: number,
  step: number,
): { data: Float32Array; dims: Dims } {
  const sigma = voxelSizes.map((mm) => fwhm / SIGMA_TO_FWHM / mm);
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
      for (let q = lo; q <= hi; q++)
        addLines(current, out, w[q - lo] / total, q * inner, i * inner, n * inner, kept * inner, inner);
    }
    current = out;
    size[axis] = kept;
  }
  return { data: current === data ? data.slice() : current, dims: [size[0], size[1], size[2]] };
}

/** out[to + s] += weight x data[from + s] for s < inner, then the same every `fromStep` and `toStep` further on. */
function addLines(
  data: Float32Array,
  out: Float32Array,
  weight: number,
  from: number,
  to: number,
  fromStep: number,
  toStep: number,
  inner: number,
): void {
  if (inner === 1)
    for (let t = to, f = from; t < out.length; t += toStep, f += fromStep) out[t] += weight * data[f];
  else
    for (let t = to, f = from; t < out.length; t += toStep, f += fromStep)
      for (let s = 0; s < inner; s++) out[t + s] += weight * data[f + s];
}

/** Samples whose signal (in any of the volumes) is above this share of its volume's mean are of the head. */
const SIGNAL = 0.5;

/**
 * Where there is something to compare: 1 within `margin` samples (per axis) of signal in any of `volumes`, else 0. Air,
 * which is half of most images, says nothing about the field.
 */
export function signalMask(
  volumes: readonly Float32Array[],
  dims: Dims,
  margin: readonly [number, number, number],
): Uint8Array {
  const mask = new Uint8Array(volumes[0].length);
  for (const volume of volumes) {
    const least = (SIGNAL * volume.reduce((sum, v) => sum + v, 0)) / volume.length;
    for (let o = 0; o < mask.length; o++) if (volume[o] > least) mask[o] = 1;
  }
  let inner = 1;
  for (const axis of [0, 1, 2]) {
    const n = dims[axis];
    for (let start = 0; start < mask.length; start += n * inner)
      for (let s = start; s < start + inner; s++) widen(mask, s, n, inner, margin[axis]);
    inner *= n;
  }
  return mask;
}

/** Sets what lies within `margin` of a 1 on one line, in place. */
function widen(mask: Uint8Array, start: number, n: number, stride: number, margin: number): void {
  // Forward: how long ago the last 1 was seen. Marked with 2, so that it is not taken for one.
  let since = margin + 1;
  for (let i = 0, o = start; i < n; i++, o += stride) {
    since = mask[o] === 1 ? 0 : since + 1;
    if (since > 0 && since <= margin) mask[o] = 2;
  }
  since = margin + 1;
  for (let i = 0, o = start + (n - 1) * stride; i < n; i++, o -= stride) {
    since = mask[o] === 1 ? 0 : since + 1;
    if (since <= margin) mask[o] = since === 0 ? 1 : 2;
  }
  for (let i = 0, o = start; i < n; i++, o += stride) if (mask[o] === 2) mask[o] = 1;
}

/**
 * Voxels beyond the outermost centres that still count as inside: room for rounding only. Half a voxel, which sampling
 * for display would allow, compares a mirrored slice with a real one and bends the field there.
 */
const SLACK = 0.02;

/** Value and gradient of one volume at the samples of a level; derivatives are per voxel of the full image. */
export interface Sampled {
  readonly value: Float32Array;
  /** Derivative along the phase-encode axis. */
  readonly along: Float32Array;
  /** All derivatives there are: `along` alone, or along x, y and z (`along` is one of them). */
  readonly gradient: readonly Float32Array[];
}

const found = new Float64Array(4);

/**
 * Samples a level's volume at movement(x) + shift(x) along `axis` for each x of the level's grid.
 * @param coefficients from {@link levelImage}'s volume  @param dims of the thinned volume, which are the level's samples too
 * @param movement full voxels of the reference to full voxels of the volume
 * @param perHz full voxels of shift along `axis` per unit of `field`
 * @param inside only samples where it is 1 are taken; it is set to 0 where they lie beyond the volume
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
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (inside[o] === 0) continue;
        const x = m[0] * i + m[1] * j + m[2] * k + tx + shiftX * field[o];
        const y = m[4] * i + m[5] * j + m[6] * k + ty + shiftY * field[o];
        const z = m[8] * i + m[9] * j + m[10] * k + tz;
        const px = clamp(x, nx);
        const py = clamp(y, ny);
        const pz = clamp(z, nz);
        if (!(Math.abs(x - px) + Math.abs(y - py) + Math.abs(z - pz) <= SLACK)) inside[o] = 0;
        sampleSplineGradient(coefficients, dims, px, py, pz, found);
        value[o] = found[0];
        gx[o] = found[1] / step;
        gy[o] = found[2] / step;
        gz[o] = found[3] / step;
      }
}

/** Nearest position between the outermost centres of `n` voxels. */
function clamp(x: number, n: number): number {
  return x > 0 ? (x < n - 1 ? x : n - 1) : 0;
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
  const m = movement;
  const inside = new Uint8Array(volume.length).fill(1);
  const carried = new Float32Array(volume.length);
  const coefficients = splineCoefficients(volume, dims);
  const [nx, ny, nz] = dims;
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const x = m[0] * i + m[1] * j + m[2] * k + m[3];
        const y = m[4] * i + m[5] * j + m[6] * k + m[7];
        const z = m[8] * i + m[9] * j + m[10] * k + m[11];
        const px = clamp(x, nx);
        const py = clamp(y, ny);
        const pz = clamp(z, nz);
        if (!(Math.abs(x - px) + Math.abs(y - py) + Math.abs(z - pz) <= SLACK)) inside[o] = 0;
        carried[o] = sampleSpline(coefficients, dims, px, py, pz);
      }
  return { volume: carried, inside };
}

/** As {@link sampleLevel} for a carried volume, whose coefficients are along `axis` only: value, and gradient along it. */
export function sampleLines(
  coefficients: Float32Array,
  dims: Dims,
  step: number,
  field: Float32Array,
  perHz: number,
  axis: 0 | 1,
  out: Sampled,
  inside: Uint8Array,
): void {
  const { value, along } = out;
  const n = dims[axis];
  const stride = axis === 0 ? 1 : dims[0];
  const scale = perHz / step;
  const last = n - 1;
  let o = 0;
  for (let k = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++)
      for (let i = 0; i < dims[0]; i++, o++) {
        if (inside[o] === 0) continue;
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
        along[o] =
          (-0.5 * s * s * p + t * (1.5 * t - 2) * q - s * (1.5 * s - 2) * r + 0.5 * t * t * u) / step;
      }
}
