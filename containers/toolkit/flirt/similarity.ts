/**
 * A cost as a function of the transform: the source is sampled at the reference's voxels, and the samples' derivatives
 * are gathered into the derivative by the matrix. All costs share this one road, with exact gradients.
 */
import { determinant3, type Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { sampleLinear } from '../../../imaging/interpolate.ts';
import { type CostName, createCost } from './cost.ts';
import type { Level } from './pyramid.ts';

/** A cost by the matrix from reference-level voxels to source-level voxels. */
export type Similarity =
  /** @param out where given (12 numbers), filled with the derivative by the matrix's rows 0 to 2 */
  (voxelToVoxel: Matrix4, out?: Float64Array) => number;

/** Share of the smaller field of view that must overlap: less says nothing about the rest of the head. */
const LEAST_OVERLAP = 0.3;

/**
 * Where each row of samples begins, in voxels: x, y, z per row. Rows are offset from the reference's own by -1/2 to 1/2
 * along each axis, a low-discrepancy sequence. Samples on the reference's own voxels would meet all source voxels at one
 * phase; interpolation smooths noise by phase, and costs would pull towards certain shifts and scales (Tsao 2003, IEEE
 * Trans Med Imaging 22:854). Spread rows meet all phases alike.
 * @param thinning every so many rows are sampled, evenly over the volume
 */
function sampleRows([, ny, nz]: Dims, thinning: number): Float64Array {
  const out: number[] = [];
  // Powers of 1/phi, phi^4 = phi + 1: the plastic ratio's three-dimensional sibling.
  const steps = [0.8191725133961645, 0.6710436067037893, 0.5497004779019703];
  for (let k = 0; k < nz; k++)
    for (let j = k % thinning; j < ny; j += thinning) {
      const [x, y, z] = steps.map((step) => ((0.5 + (out.length / 3) * step) % 1) - 0.5);
      out.push(x, j + y, k + z);
    }
  return Float64Array.from(out);
}

/** A volume's intensities along rows of `length` samples. */
function sampleAlong(data: Float32Array, dims: Dims, rows: Float64Array, length: number): Float32Array {
  const out = new Float32Array((rows.length / 3) * length);
  for (let row = 0, o = 0; row < rows.length; row += 3)
    for (let i = 0; i < length; i++, o++)
      out[o] = sampleLinear(data, dims, i + rows[row], rows[row + 1], rows[row + 2]);
  return out;
}

/**
 * Prepares a reference: the result gives the cost of any source against it. Working memory is shared by all of them.
 * Samples' weights fall linearly to zero within `ramp` source voxels of the source's edge, so that the cost does not
 * jump where voxels enter or leave the overlap (apodization; Jenkinson 2002). The images' own weights multiply it.
 * @param bins of a histogram's axis, for the costs that use one
 * @param ramp in source voxels
 * @param thinning only every so many rows of voxels are sampled: quicker and noisier
 */
export function createSimilarity(
  reference: Level,
  costName: CostName,
  bins: number,
  ramp = 1,
  thinning = 1,
): (source: Level) => Similarity {
  const rx = reference.dims[0];
  const rows = sampleRows(reference.dims, thinning);
  const along = (data: Float32Array) => sampleAlong(data, reference.dims, rows, rx);
  const costOf = createCost(costName, along(reference.data), bins);
  const own = reference.weight && along(reference.weight);
  const count = (rows.length / 3) * rx;
  const y = new Float32Array(count);
  const w = new Float32Array(count);
  const gradient = { y: new Float32Array(count), w: new Float32Array(count) };
  const slope = new Float32Array(3 * count);
  // Without weights of the source, only samples near the edge have one that moves: they are listed, with derivatives.
  const edge = new Int32Array(count);
  const edgeSlope = new Float32Array(3 * count);
  let edges = 0;
  const invRamp = 1 / ramp;

  /** Fills y, w and (where `derive`) their slopes by the source's voxel coordinates. Returns the sum of weights. */
  function sample({ dims, data, weight: given }: Level, m: Matrix4, derive: boolean): number {
    const limX = dims[0] - 1;
    const limY = dims[1] - 1;
    const limZ = dims[2] - 1;
    const stepY = dims[0];
    const stepZ = dims[0] * dims[1];
    edges = 0;
    let weight = 0;
    let o = 0;
    for (let at = 0; at < rows.length; at += 3) {
      const px = rows[at];
      const py = rows[at + 1];
      const pz = rows[at + 2];
      const bx = m[0] * px + m[1] * py + m[2] * pz + m[3];
      const by = m[4] * px + m[5] * py + m[6] * pz + m[7];
      const bz = m[8] * px + m[9] * py + m[10] * pz + m[11];
      // The stretch of the row that lies inside the source.
      let lo = 0;
      let hi = rx - 1;
      for (let a = 0; a < 3; a++) {
        const b = a === 0 ? bx : a === 1 ? by : bz;
        const d = m[4 * a];
        const limit = a === 0 ? limX : a === 1 ? limY : limZ;
        if (d > 1e-12 || d < -1e-12) {
          const t0 = (d > 0 ? -b : limit - b) / d;
          const t1 = (d > 0 ? limit - b : -b) / d;
          if (t0 > lo) lo = Math.ceil(t0);
          if (t1 < hi) hi = Math.floor(t1);
        } else if (b < 0 || b > limit) hi = -1;
      }
      const row = o;
      if (hi < lo) {
        w.fill(0, row, row + rx);
        o += rx;
        continue;
      }
      w.fill(0, row, row + lo);
      w.fill(0, row + hi + 1, row + rx);
      o = row + lo;
      for (let i = lo; i <= hi; i++, o++) {
        const x = bx + m[0] * i;
        const v = by + m[4] * i;
        const z = bz + m[8] * i;
        let xi = x | 0;
        let yi = v | 0;
        let zi = z | 0;
        if (xi >= limX) xi = limX - 1;
        if (yi >= limY) yi = limY - 1;
        if (zi >= limZ) zi = limZ - 1;
        const fx = x - xi;
        const fy = v - yi;
        const fz = z - zi;
        const p = xi + stepY * yi + stepZ * zi;
        const a0 = data[p];
        const a1 = data[p + 1];
        const b0 = data[p + stepY];
        const b1 = data[p + stepY + 1];
        const c0 = data[p + stepZ];
        const c1 = data[p + stepZ + 1];
        const d0 = data[p + stepZ + stepY];
        const d1 = data[p + stepZ + stepY + 1];
        const a = a0 + fx * (a1 - a0);
        const b = b0 + fx * (b1 - b0);
        const c = c0 + fx * (c1 - c0);
        const d = d0 + fx * (d1 - d0);
        const e = a + fy * (b - a);
        const f = c + fy * (d - c);
        y[o] = e + fz * (f - e);
        if (derive) {
          const sa = a1 - a0 + fy * (b1 - b0 - a1 + a0);
          const sc = c1 - c0 + fy * (d1 - d0 - c1 + c0);
          slope[3 * o] = sa + fz * (sc - sa);
          slope[3 * o + 1] = b - a + fz * (d - c - b + a);
          slope[3 * o + 2] = f - e;
        }
        const ex = Math.min(x, limX - x);
        const ey = Math.min(v, limY - v);
        const ez = Math.min(z, limZ - z);
        const inside = ex >= ramp && ey >= ramp && ez >= ramp;
        const ours = own ? own[o] : 1;
        if (inside && !given) {
          w[o] = ours;
          weight += 1;
          continue;
        }
        const wx = ex < ramp ? ex * invRamp : 1;
        const wy = ey < ramp ? ey * invRamp : 1;
        const wz = ez < ramp ? ez * invRamp : 1;
        const fade = wx * wy * wz;
        weight += fade;
        const theirs = given ? sampleLinear(given, dims, x, v, z) : 1;
        w[o] = ours * fade * theirs;
        if (!derive) continue;
        const both = ours * theirs;
        edgeSlope[3 * edges] = ex < ramp ? (x < limX - x ? invRamp : -invRamp) * wy * wz * both : 0;
        edgeSlope[3 * edges + 1] = ey < ramp ? (v < limY - v ? invRamp : -invRamp) * wx * wz * both : 0;
        edgeSlope[3 * edges + 2] = ez < ramp ? (z < limZ - z ? invRamp : -invRamp) * wx * wy * both : 0;
        if (given) addSlope(given, p, stepY, stepZ, fx, fy, fz, ours * fade, edgeSlope, 3 * edges);
        edge[edges++] = o;
      }
      o = row + rx;
    }
    return weight;
  }

  /** Derivative of the cost by the matrix, from the samples' derivatives. */
  function gather(out: Float64Array): void {
    out.fill(0);
    let o = 0;
    for (let at = 0; at < rows.length; at += 3) {
      let sx = 0;
      let sy = 0;
      let sz = 0;
      let ix = 0;
      let iy = 0;
      let iz = 0;
      for (let i = 0; i < rx; i++, o++) {
        if (w[o] === 0) continue;
        const g = gradient.y[o];
        const gx = g * slope[3 * o];
        const gy = g * slope[3 * o + 1];
        const gz = g * slope[3 * o + 2];
        sx += gx;
        sy += gy;
        sz += gz;
        ix += gx * i;
        iy += gy * i;
        iz += gz * i;
      }
      add(out, 0, at, sx, ix);
      add(out, 4, at, sy, iy);
      add(out, 8, at, sz, iz);
    }
    for (let e = 0; e < edges; e++) {
      const o = edge[e];
      const i = o % rx;
      const row = 3 * ((o - i) / rx);
      for (let r = 0; r < 3; r++) {
        const g = gradient.w[o] * edgeSlope[3 * e + r];
        add(out, 4 * r, row, g, g * i);
      }
    }
  }

  /** Adds a row's derivatives, their sum and their sum by i, to one row of the matrix. */
  function add(out: Float64Array, at: number, row: number, sum: number, byI: number): void {
    out[at] += byI + rows[row] * sum;
    out[at + 1] += rows[row + 1] * sum;
    out[at + 2] += rows[row + 2] * sum;
    out[at + 3] += sum;
  }

  return (source) => {
    const cost = costOf(source.data);
    const sourceVolume = source.data.length * Math.abs(determinant3(source.toFsl));
    const leastWeight =
      LEAST_OVERLAP * Math.min(count, sourceVolume / Math.abs(determinant3(reference.toFsl)) / thinning);
    return (m, out) => {
      if (sample(source, m, out !== undefined) < leastWeight) return Number.POSITIVE_INFINITY;
      const value = cost(y, w, out && gradient);
      if (out && Number.isFinite(value)) gather(out);
      return value;
    };
  };
}

/** Adds the slope of a trilinear sample within the cell at `p`, times `scale`, to out[at] to out[at + 2]. */
function addSlope(
  data: Float32Array,
  p: number,
  stepY: number,
  stepZ: number,
  fx: number,
  fy: number,
  fz: number,
  scale: number,
  out: Float32Array,
  at: number,
): void {
  const a0 = data[p];
  const a1 = data[p + 1];
  const b0 = data[p + stepY];
  const b1 = data[p + stepY + 1];
  const c0 = data[p + stepZ];
  const c1 = data[p + stepZ + 1];
  const d0 = data[p + stepZ + stepY];
  const d1 = data[p + stepZ + stepY + 1];
  out[at] += scale * mix(mix(a1 - a0, b1 - b0, fy), mix(c1 - c0, d1 - d0, fy), fz);
  out[at + 1] += scale * mix(mix(b0 - a0, b1 - a1, fx), mix(d0 - c0, d1 - c1, fx), fz);
  out[at + 2] += scale * mix(mix(c0 - a0, c1 - a1, fx), mix(d0 - b0, d1 - b1, fx), fy);
}

const mix = (a: number, b: number, f: number) => a + f * (b - a);
