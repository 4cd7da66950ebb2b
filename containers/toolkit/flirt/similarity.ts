/**
 * A cost as a function of the transform: the source is sampled at the reference's voxels, and the samples' derivatives
 * are gathered into the derivative by the matrix. All costs share this one road, with exact gradients.
 */
import { determinant3, type Matrix4 } from '../../../imaging/affine.ts';
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
 * Offsets in voxels, -1/2 to 1/2, of each row of samples: x, y, z per row, a low-discrepancy sequence. Samples on the
 * reference's own voxels would meet all source voxels at one phase; interpolation smooths noise by phase, and costs
 * would pull towards certain shifts (Tsao 2003, IEEE Trans Med Imaging 22:854). Spread rows meet all phases alike.
 */
function rowOffsets(rows: number): Float64Array {
  const out = new Float64Array(3 * rows);
  // Powers of 1/phi, phi^4 = phi + 1: the plastic ratio's three-dimensional sibling.
  const steps = [0.8191725133961645, 0.6710436067037893, 0.5497004779019703];
  for (let row = 0; row < rows; row++)
    for (let axis = 0; axis < 3; axis++) out[3 * row + axis] = ((0.5 + row * steps[axis]) % 1) - 0.5;
  return out;
}

/** A level's intensities at its rows' offset positions. */
function sampleRows({ dims, data }: Level, offsets: Float64Array): Float32Array {
  const out = new Float32Array(data.length);
  let o = 0;
  for (let k = 0, row = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++, row += 3)
      for (let i = 0; i < dims[0]; i++, o++)
        out[o] = sampleLinear(data, dims, i + offsets[row], j + offsets[row + 1], k + offsets[row + 2]);
  return out;
}

/**
 * Prepares a reference: the result gives the cost of any source against it. Working memory is shared by all of them.
 * Samples' weights fall linearly to zero within `ramp` source voxels of the source's edge, so that the cost does not
 * jump where voxels enter or leave the overlap (apodization; Jenkinson 2002).
 * @param bins of a histogram's axis, for the costs that use one
 */
export function createSimilarity(
  reference: Level,
  costName: CostName,
  bins: number,
  ramp = 1,
): (source: Level) => Similarity {
  const [rx, ry, rz] = reference.dims;
  const count = rx * ry * rz;
  const offsets = rowOffsets(ry * rz);
  const costOf = createCost(costName, sampleRows(reference, offsets), bins);
  const y = new Float32Array(count);
  const w = new Float32Array(count);
  const gradient = { y: new Float32Array(count), w: new Float32Array(count) };
  const slope = new Float32Array(3 * count);
  // Only samples near the edge have a weight that moves: their indices and derivatives are listed.
  const edge = new Int32Array(count);
  const edgeSlope = new Float32Array(3 * count);
  let edges = 0;
  const invRamp = 1 / ramp;

  /** Fills y, w and (where `derive`) their slopes by the source's voxel coordinates. Returns the sum of weights. */
  function sample({ dims, data }: Level, m: Matrix4, derive: boolean): number {
    const limX = dims[0] - 1;
    const limY = dims[1] - 1;
    const limZ = dims[2] - 1;
    const stepY = dims[0];
    const stepZ = dims[0] * dims[1];
    edges = 0;
    let weight = 0;
    let o = 0;
    for (let k = 0, offset = 0; k < rz; k++)
      for (let j = 0; j < ry; j++, offset += 3) {
        const px = offsets[offset];
        const py = j + offsets[offset + 1];
        const pz = k + offsets[offset + 2];
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
          if (ex >= ramp && ey >= ramp && ez >= ramp) {
            w[o] = 1;
            weight += 1;
            continue;
          }
          const wx = ex < ramp ? ex * invRamp : 1;
          const wy = ey < ramp ? ey * invRamp : 1;
          const wz = ez < ramp ? ez * invRamp : 1;
          w[o] = wx * wy * wz;
          weight += w[o];
          if (!derive) continue;
          edgeSlope[3 * edges] = ex < ramp ? (x < limX - x ? invRamp : -invRamp) * wy * wz : 0;
          edgeSlope[3 * edges + 1] = ey < ramp ? (v < limY - v ? invRamp : -invRamp) * wx * wz : 0;
          edgeSlope[3 * edges + 2] = ez < ramp ? (z < limZ - z ? invRamp : -invRamp) * wx * wy : 0;
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
    for (let k = 0, offset = 0; k < rz; k++)
      for (let j = 0; j < ry; j++, offset += 3) {
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
        add(out, 0, offset, j, k, sx, ix);
        add(out, 4, offset, j, k, sy, iy);
        add(out, 8, offset, j, k, sz, iz);
      }
    for (let e = 0; e < edges; e++) {
      const at = edge[e];
      const i = at % rx;
      const j = Math.floor(at / rx) % ry;
      const k = Math.floor(at / (rx * ry));
      for (let r = 0; r < 3; r++) {
        const g = gradient.w[at] * edgeSlope[3 * e + r];
        add(out, 4 * r, 3 * (j + ry * k), j, k, g, g * i);
      }
    }
  }

  /** Adds a row's derivatives, their sum and their sum by i, to one row of the matrix. */
  function add(
    out: Float64Array,
    at: number,
    offset: number,
    j: number,
    k: number,
    sum: number,
    byI: number,
  ): void {
    out[at] += byI + offsets[offset] * sum;
    out[at + 1] += (j + offsets[offset + 1]) * sum;
    out[at + 2] += (k + offsets[offset + 2]) * sum;
    out[at + 3] += sum;
  }

  return (source) => {
    const cost = costOf(source.data);
    const sourceVolume = source.data.length * Math.abs(determinant3(source.toFsl));
    const leastWeight =
      LEAST_OVERLAP * Math.min(count, sourceVolume / Math.abs(determinant3(reference.toFsl)));
    return (m, out) => {
      if (sample(source, m, out !== undefined) < leastWeight) return Number.POSITIVE_INFINITY;
      const value = cost(y, w, out && gradient);
      if (out && Number.isFinite(value)) gather(out);
      return value;
    };
  };
}
