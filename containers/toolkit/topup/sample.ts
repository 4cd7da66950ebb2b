/** A level's images: smoothed, thinned out, ready to be sampled with gradients by cubic B-splines. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { SIGMA_TO_FWHM } from '../../../imaging/smooth.ts';
import { sampleSplineGradient } from '../../../imaging/spline.ts';

/**
 * A volume smoothed by `fwhm` mm per axis and thinned out to every `step`-th voxel from voxel 0 on, one axis after the other.
 * Beyond the edges intensities are taken to go on as they came: their reflection in the outermost voxel. (Weights cut off
 * there and renormalized would show the edge what lies further in, and a head that moves along would not match itself.)
 * Always a copy.
 */
export function levelImage(
  data: Float32Array,
  dims: Dims,
  voxelSizes: readonly [number, number, number],
  fwhm: readonly [number, number, number],
  step: number,
): { data: Float32Array; dims: Dims } {
  const sigma = voxelSizes.map((mm, a) => fwhm[a] / SIGMA_TO_FWHM / mm);
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
    const kernel = Array.from({ length: 2 * radius + 1 }, (_, q) =>
      radius === 0 ? 1 : Math.exp(-0.5 * ((q - radius) / sigma[axis]) ** 2),
    );
    const total = kernel.reduce((p, v) => p + v, 0);
    const weights = new Float64Array(n);
    for (let i = 0; i < kept; i++) {
      weights.fill(0);
      for (let q = -radius; q <= radius; q++) reflect(weights, i * step + q, kernel[q + radius] / total);
      for (let q = Math.max(0, i * step - 2 * radius); q <= Math.min(n - 1, i * step + 2 * radius); q++)
        if (weights[q] !== 0)
          addLines(current, out, weights[q], q * inner, i * inner, n * inner, kept * inner, inner);
    }
    current = out;
    size[axis] = kept;
  }
  return { data: current === data ? data.slice() : current, dims: [size[0], size[1], size[2]] };
}

/** Adds `weight` to where voxel `at` of a line comes from: beyond an end e, twice voxel e less the one as far inside. */
function reflect(weights: Float64Array, at: number, weight: number): void {
  const end = at < 0 ? 0 : weights.length - 1;
  if (at >= 0 && at <= end) weights[at] += weight;
  else {
    weights[end] += 2 * weight;
    weights[Math.abs(2 * end - at)] -= weight;
  }
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

/** One undistorted volume at some samples: intensity and what changes it; derivatives are per voxel of the full image. */
export interface Sampled {
  /** Acquired intensity, before modulation. */
  readonly value: Float32Array;
  /** Value x density: the undistorted volume. */
  readonly modulated: Float32Array;
  /** Derivative of `modulated` along the phase-encode axis with where it is sampled. */
  readonly along: Float32Array;
  /** The same along x, y and z; empty where no movement is estimated. */
  readonly gradient: readonly Float32Array[];
}

/** Slices [from, end) of a level's samples, which are every `step`-th voxel. */
export interface Slab {
  readonly dims: Dims;
  readonly step: number;
  readonly from: number;
  readonly end: number;
}

const found = new Float64Array(4);

/**
 * Samples a level's volume at movement(x) + shift(x) along `axis` for each x of a slab, and modulates it.
 * @param coefficients from {@link levelImage}'s whole volume
 * @param movement full voxels of the reference to full voxels of the volume
 * @param field on the slab, and `slope` its derivative along `axis` per full voxel
 * @param perHz full voxels of shift along `axis` per unit of `field`
 * @param out of the slab's samples
 * @param inside of the slab's samples: only where it is 1 are they taken; it is set to 0 where they lie beyond the volume
 */
export function sampleSlab(
  coefficients: Float32Array,
  { dims, step, from, end }: Slab,
  movement: Matrix4,
  field: Float32Array,
  slope: Float32Array,
  perHz: number,
  axis: 0 | 1,
  out: Sampled,
  inside: Uint8Array,
): void {
  const [nx, ny, nz] = dims;
  const m = movement;
  const { value, modulated, along, gradient } = out;
  const [gx, gy, gz] = gradient;
  const [tx, ty, tz] = [m[3] / step, m[7] / step, m[11] / step];
  const shiftX = axis === 0 ? perHz / step : 0;
  const shiftY = axis === 1 ? perHz / step : 0;
  let o = 0;
  for (let k = from; k < end; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (inside[o] === 0) continue;
        const x = m[0] * i + m[1] * j + m[2] * k + tx + shiftX * field[o];
        const y = m[4] * i + m[5] * j + m[6] * k + ty + shiftY * field[o];
        const z = m[8] * i + m[9] * j + m[10] * k + tz;
        const px = clamp(x, nx);
        const py = clamp(y, ny);
        const pz = clamp(z, nz);
        if (!(Math.abs(x - px) + Math.abs(y - py) + Math.abs(z - pz) <= SLACK)) {
          inside[o] = 0;
          continue;
        }
        sampleSplineGradient(coefficients, dims, px, py, pz, found);
        const density = 1 + perHz * slope[o];
        const scale = density / step;
        value[o] = found[0];
        modulated[o] = density * found[0];
        along[o] = scale * found[1 + axis];
        if (gradient.length > 0) {
          gx[o] = scale * found[1];
          gy[o] = scale * found[2];
          gz[o] = scale * found[3];
        }
      }
}

/** Nearest position between the outermost centres of `n` voxels. */
function clamp(x: number, n: number): number {
  return x > 0 ? (x < n - 1 ? x : n - 1) : 0;
}
