/**
 * A cost as a function of the transform: the source is sampled at the reference's voxels, and the samples' derivatives
 * are gathered into the derivative by the matrix. All costs share this one road, with exact gradients.
 */
import { determinant3, type Matrix4 } from '../../../imaging/affine.ts';
import type { Cost, CostName } from './cost.ts';
import { createCost } from './cost.ts';
import type { Level } from './pyramid.ts';

/** A cost by the matrix from reference-level voxels to source-level voxels. */
export type Similarity =
  /** @param out where given (12 numbers), filled with the derivative by the matrix's rows 0 to 2 */
  (voxelToVoxel: Matrix4, out?: Float64Array) => number;

/** Share of the smaller field of view that must overlap: less says nothing about the rest of the head. */
const LEAST_OVERLAP = 0.3;

/**
 * Samples' weights fall linearly to zero within `ramp` source voxels of the source's edge, so that the cost does not
 * jump where voxels enter or leave the overlap (apodization; Jenkinson 2002).
 * @param bins of a histogram's axis, for the costs that use one
 */
export function createSimilarity(
  reference: Level,
  source: Level,
  costName: CostName,
  bins: number,
  ramp = 1,
): Similarity {
  const [rx, ry, rz] = reference.dims;
  const [nx, ny, nz] = source.dims;
  const { data } = source;
  const count = rx * ry * rz;
  const cost: Cost = createCost(costName, reference.data, data, bins);
  const [y, w] = [new Float32Array(count), new Float32Array(count)];
  const gradient = { y: new Float32Array(count), w: new Float32Array(count) };
  const slope = new Float32Array(3 * count);
  // Only samples near the edge have a weight that moves: their indices and derivatives are listed.
  const edge = new Int32Array(count);
  const edgeSlope = new Float32Array(3 * count);
  let edges = 0;

  const voxel = Math.abs(determinant3(reference.toFsl));
  const sourceVoxel = Math.abs(determinant3(source.toFsl));
  const leastWeight = LEAST_OVERLAP * Math.min(count, (nx * ny * nz * sourceVoxel) / voxel);

  const invRamp = 1 / ramp;
  const [limX, limY, limZ] = [nx - 1, ny - 1, nz - 1];
  const stepY = nx;
  const stepZ = nx * ny;

  function sample(m: Matrix4, derive: boolean): number {
    edges = 0;
    let weight = 0;
    let o = 0;
    for (let k = 0; k < rz; k++)
      for (let j = 0; j < ry; j++) {
        const bx = m[1] * j + m[2] * k + m[3];
        const by = m[5] * j + m[6] * k + m[7];
        const bz = m[9] * j + m[10] * k + m[11];
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

  function gather(out: Float64Array): void {
    out.fill(0);
    let o = 0;
    for (let k = 0; k < rz; k++)
      for (let j = 0; j < ry; j++) {
        let [sx, sy, sz, ix, iy, iz] = [0, 0, 0, 0, 0, 0];
        for (let i = 0; i < rx; i++, o++) {
          if (w[o] === 0) continue;
          const g = gradient.y[o];
          const [gx, gy, gz] = [g * slope[3 * o], g * slope[3 * o + 1], g * slope[3 * o + 2]];
          sx += gx;
          sy += gy;
          sz += gz;
          ix += gx * i;
          iy += gy * i;
          iz += gz * i;
        }
        out[0] += ix;
        out[1] += j * sx;
        out[2] += k * sx;
        out[3] += sx;
        out[4] += iy;
        out[5] += j * sy;
        out[6] += k * sy;
        out[7] += sy;
        out[8] += iz;
        out[9] += j * sz;
        out[10] += k * sz;
        out[11] += sz;
      }
    for (let e = 0; e < edges; e++) {
      const at = edge[e];
      const i = at % rx;
      const j = Math.floor(at / rx) % ry;
      const k = Math.floor(at / (rx * ry));
      for (let r = 0; r < 3; r++) {
        const g = gradient.w[at] * edgeSlope[3 * e + r];
        out[4 * r] += g * i;
        out[4 * r + 1] += g * j;
        out[4 * r + 2] += g * k;
        out[4 * r + 3] += g;
      }
    }
  }

  return (m, out) => {
    if (sample(m, out !== undefined) < leastWeight) return Number.POSITIVE_INFINITY;
    const value = cost(y, w, out && gradient);
    if (out && Number.isFinite(value)) gather(out);
    return value;
  };
}
