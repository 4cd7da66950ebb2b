/**
 * Sampling between voxels: trilinear, nearest and cubic B-spline. Coordinates are voxel indices; centres are whole
 * numbers. No allocation in the samplers, so they can stand in inner loops.
 */
import type { Matrix4 } from './affine.ts';
import type { Dims, Grid } from './image.ts';

/** Trilinear sample; `outside` where any corner of the cell lies beyond the grid by more than half a voxel. */
export function sampleLinear(
  data: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  outside = 0,
): number {
  const [nx, ny, nz] = dims;
  if (!(x > -0.5 && y > -0.5 && z > -0.5 && x < nx - 0.5 && y < ny - 0.5 && z < nz - 0.5)) return outside;
  const xc = x < 0 ? 0 : x > nx - 1 ? nx - 1 : x;
  const yc = y < 0 ? 0 : y > ny - 1 ? ny - 1 : y;
  const zc = z < 0 ? 0 : z > nz - 1 ? nz - 1 : z;
  const i = Math.floor(xc);
  const j = Math.floor(yc);
  const k = Math.floor(zc);
  const fx = xc - i;
  const fy = yc - j;
  const fz = zc - k;
  const dx = i + 1 < nx ? 1 : 0;
  const dy = j + 1 < ny ? nx : 0;
  const dz = k + 1 < nz ? nx * ny : 0;
  const o = i + nx * (j + ny * k);
  const a = data[o] + fx * (data[o + dx] - data[o]);
  const b = data[o + dy] + fx * (data[o + dy + dx] - data[o + dy]);
  const c = data[o + dz] + fx * (data[o + dz + dx] - data[o + dz]);
  const d = data[o + dz + dy] + fx * (data[o + dz + dy + dx] - data[o + dz + dy]);
  const e = a + fy * (b - a);
  return e + fz * (c + fy * (d - c) - e);
}

/** Nearest-voxel sample. */
export function sampleNearest(
  data: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  outside = 0,
): number {
  const i = Math.round(x);
  const j = Math.round(y);
  const k = Math.round(z);
  if (i < 0 || j < 0 || k < 0 || i >= dims[0] || j >= dims[1] || k >= dims[2]) return outside;
  return data[i + dims[0] * (j + dims[1] * k)];
}

const POLE = Math.sqrt(3) - 2;

/** In-place prefilter of one line for cubic B-splines, mirror boundaries (Unser 1999, IEEE Signal Proc Mag 16:22). */
function prefilterLine(c: Float64Array, n: number): void {
  if (n === 1) return;
  const gain = (1 - POLE) * (1 - 1 / POLE);
  for (let i = 0; i < n; i++) c[i] *= gain;
  let sum = c[0];
  let zn = POLE;
  const horizon = Math.min(n, 30); // POLE^30 < 1e-17
  if (horizon < n) {
    for (let i = 1; i < horizon; i++, zn *= POLE) sum += zn * c[i];
  } else {
    // Exact sum over the mirrored line where it is shorter than the horizon.
    const iz = 1 / POLE;
    let z2n = POLE ** (n - 1);
    sum = c[0] + z2n * c[n - 1];
    z2n = POLE ** (2 * n - 3);
    for (let i = 1; i < n - 1; i++) {
      sum += (zn + z2n) * c[i];
      zn *= POLE;
      z2n *= iz;
    }
    sum /= 1 - zn * zn;
  }
  c[0] = sum;
  for (let i = 1; i < n; i++) c[i] += POLE * c[i - 1];
  c[n - 1] = (POLE / (POLE * POLE - 1)) * (c[n - 1] + POLE * c[n - 2]);
  for (let i = n - 2; i >= 0; i--) c[i] = POLE * (c[i + 1] - c[i]);
}

/** Cubic B-spline coefficients that interpolate `data` (3-D); same size as the input, mirror boundaries. */
export function splineCoefficients(data: Float32Array, dims: Dims): Float32Array {
  const out = Float32Array.from(data);
  const [nx, ny, nz] = dims;
  const line = new Float64Array(Math.max(nx, ny, nz));
  const pass = (n: number, stride: number, starts: Iterable<number>) => {
    for (const s of starts) {
      for (let i = 0; i < n; i++) line[i] = out[s + i * stride];
      prefilterLine(line, n);
      for (let i = 0; i < n; i++) out[s + i * stride] = line[i];
    }
  };
  function* starts(na: number, sa: number, nb: number, sb: number) {
    for (let b = 0; b < nb; b++) for (let a = 0; a < na; a++) yield a * sa + b * sb;
  }
  pass(nx, 1, starts(ny, nx, nz, nx * ny));
  pass(ny, nx, starts(nx, 1, nz, nx * ny));
  pass(nz, nx * ny, starts(nx, 1, ny, nx));
  return out;
}

function mirror(i: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * n - 2;
  const m = ((i % period) + period) % period;
  return m < n ? m : period - m;
}

const wx = new Float64Array(4);
const wy = new Float64Array(4);
const wz = new Float64Array(4);
const ix = new Int32Array(4);
const iy = new Int32Array(4);
const iz = new Int32Array(4);

function cubicWeights(t: number, w: Float64Array): void {
  const s = 1 - t;
  w[0] = (s * s * s) / 6;
  w[1] = 2 / 3 - 0.5 * t * t * (2 - t);
  w[2] = 2 / 3 - 0.5 * s * s * (2 - s);
  w[3] = (t * t * t) / 6;
}

/** Sample of cubic B-spline `coefficients` (see {@link splineCoefficients}); `outside` beyond half a voxel of the grid. */
export function sampleSpline(
  coefficients: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  outside = 0,
): number {
  const [nx, ny, nz] = dims;
  if (!(x > -0.5 && y > -0.5 && z > -0.5 && x < nx - 0.5 && y < ny - 0.5 && z < nz - 0.5)) return outside;
  const i = Math.floor(x);
  const j = Math.floor(y);
  const k = Math.floor(z);
  cubicWeights(x - i, wx);
  cubicWeights(y - j, wy);
  cubicWeights(z - k, wz);
  for (let a = 0; a < 4; a++) {
    ix[a] = mirror(i - 1 + a, nx);
    iy[a] = nx * mirror(j - 1 + a, ny);
    iz[a] = nx * ny * mirror(k - 1 + a, nz);
  }
  let sum = 0;
  for (let c = 0; c < 4; c++)
    for (let b = 0; b < 4; b++) {
      const o = iz[c] + iy[b];
      sum +=
        wz[c] *
        wy[b] *
        (wx[0] * coefficients[o + ix[0]] +
          wx[1] * coefficients[o + ix[1]] +
          wx[2] * coefficients[o + ix[2]] +
          wx[3] * coefficients[o + ix[3]]);
    }
  return sum;
}

/** Ways of sampling between voxels. */
export type Interpolation = 'nearest' | 'linear' | 'spline';

/**
 * Resamples one volume onto `target` through a matrix that maps TARGET voxel indices to SOURCE voxel indices.
 * @returns voxels of the target grid, `outside` (0) where the source has no data
 */
export function resample(
  data: Float32Array,
  source: Dims,
  target: Grid,
  targetVoxelToSourceVoxel: Matrix4,
  interpolation: Interpolation = 'linear',
): Float32Array {
  const m = targetVoxelToSourceVoxel;
  const [nx, ny, nz] = target.dims;
  const out = new Float32Array(nx * ny * nz);
  const values = interpolation === 'spline' ? splineCoefficients(data, source) : data;
  const sample =
    interpolation === 'spline' ? sampleSpline : interpolation === 'linear' ? sampleLinear : sampleNearest;
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++)
        out[o] = sample(
          values,
          source,
          m[0] * i + m[1] * j + m[2] * k + m[3],
          m[4] * i + m[5] * j + m[6] * k + m[7],
          m[8] * i + m[9] * j + m[10] * k + m[11],
        );
  return out;
}
