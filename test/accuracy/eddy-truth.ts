/** What is true of a simulated scan's volumes, in eddy's terms: parameters, gradients, images without noise. */
import { correctVolume } from '../../containers/toolkit/eddy/correct.ts';
import type { Series } from '../../containers/toolkit/eddy/series.ts';
import { fieldSlope } from '../../containers/toolkit/eddy/series.ts';
import { FIELD_START, rigidMatrix, setRigid, TERMS, Warp } from '../../containers/toolkit/eddy/warp.ts';
import { chain, invert, type Matrix4, translation } from '../../imaging/affine.ts';
import { voxelCount } from '../../imaging/image.ts';
import { sampleLinear } from '../../imaging/interpolate.ts';
import { motionMatrix } from '../../imaging/phantom/scanner.ts';
import { type SimulatedSession, sensitivityOf } from '../../imaging/phantom/session.ts';

/** A simulated scan as eddy takes it: AP volumes, then PA volumes. */
export interface TrueScan {
  readonly session: SimulatedSession;
  /** The data with the true field and the true brain for a mask. */
  readonly series: Series;
  /** Per volume: translations (mm), rotations (radians), field terms (Hz). */
  readonly parameters: readonly Float64Array[];
}

export function trueScan(session: SimulatedSession): TrueScan {
  const { grid, ap, pa, truth } = session;
  const n = voxelCount(grid);
  const sets = [ap, pa];
  const [dx, dy, dz] = grid.voxelSizes;
  const toMm = Float64Array.of(dx, 0, 0, 0, 0, dy, 0, 0, 0, 0, dz, 0, 0, 0, 0, 1);
  const [cx, cy, cz] = grid.dims.map((d) => 0.5 * (d - 1));
  const fromVoxel = chain(toMm, translation(-cx, -cy, -cz));
  const parameters = sets.flatMap(({ motion, eddy }) =>
    motion.map((position, t) => {
      const p = new Float64Array(FIELD_START + TERMS.quadratic);
      const world = motionMatrix(position, grid);
      setRigid(p, chain(fromVoxel, invert(grid.affine), world, grid.affine, invert(fromVoxel)));
      p.set(eddy[t], FIELD_START);
      return p;
    }),
  );
  const series: Series = {
    frame: { dims: grid.dims, voxelSizes: grid.voxelSizes },
    volumes: sets.flatMap(({ image }) =>
      Array.from({ length: image.volumes }, (_, t) => image.data.subarray(t * n, (t + 1) * n)),
    ),
    acquisitions: sets.flatMap(({ image, acquisition }) =>
      Array.from({ length: image.volumes }, () => acquisition),
    ),
    bvals: Float64Array.from(sets.flatMap(({ gradients }) => [...gradients.bvals])),
    bvecs: Float64Array.from(sets.flatMap(({ gradients }) => [...gradients.bvecs])),
    mask: Uint8Array.from(truth.brain.data),
    field: truth.fieldHz.data,
  };
  return { session, series, parameters };
}

/** Root mean square distance in mm, over the brain, between where two movements take it. */
export function movementError({ series }: TrueScan, a: Matrix4, b: Matrix4): number {
  const { frame, mask } = series;
  const [nx, ny] = frame.dims;
  const d = a.map((v, i) => v - b[i]);
  let [sum, count] = [0, 0];
  for (let o = 0; o < mask.length; o++) {
    if (mask[o] === 0) continue;
    const x = ((o % nx) - 0.5 * (nx - 1)) * frame.voxelSizes[0];
    const y = ((Math.floor(o / nx) % ny) - 0.5 * (ny - 1)) * frame.voxelSizes[1];
    const z = (Math.floor(o / (nx * ny)) - 0.5 * (frame.dims[2] - 1)) * frame.voxelSizes[2];
    for (let r = 0; r < 12; r += 4) sum += (d[r] * x + d[r + 1] * y + d[r + 2] * z + d[r + 3]) ** 2;
    count++;
  }
  return Math.sqrt(sum / count);
}

/** Gradient of volume `t` as the head saw it, voxel axes; of a grid whose x runs to the left as bvecs take it. */
export function trueGradient({ series, parameters }: TrueScan, t: number): [number, number, number] {
  const m = rigidMatrix(parameters[t]);
  const [x, y, z] = series.bvecs.subarray(3 * t, 3 * t + 3);
  return [m[0] * x + m[4] * y + m[8] * z, m[1] * x + m[5] * y + m[9] * z, m[2] * x + m[6] * y + m[10] * z];
}

/**
 * Volume `t` as correction should make it: the head of the first volume, weighted by the gradient it saw, lit by the
 * receive sensitivity of the place where each voxel was recorded, without noise and before any interpolation.
 * @returns voxels on the grid; 0 outside the brain
 */
export function trueVolume(scan: TrueScan, sensitivity: Float32Array, t: number): Float32Array {
  const { session, series, parameters } = scan;
  const { frame, mask, field } = series;
  const { dims, voxelSizes } = frame;
  const [nx, ny] = dims;
  const n = mask.length;
  // The tensor is in world axes: the columns of the affine carry the gradient there.
  const a = session.grid.affine;
  const own = trueGradient(scan, t);
  const [gx, gy, gz] = [0, 1, 2].map((r) =>
    own.reduce((sum, g, c) => sum + (a[4 * r + c] / voxelSizes[c]) * g, 0),
  );
  const s0 = session.truth.s0.data;
  const d = session.truth.tensor.data;
  const b = series.bvals[t];
  const warp = new Warp(frame, series.acquisitions[t], parameters[t]);
  const out = new Float32Array(n);
  for (let o = 0; o < n; o++) {
    if (mask[o] === 0) continue;
    const along =
      gx * (gx * d[o] + 2 * (gy * d[n + o] + gz * d[2 * n + o])) +
      gy * (gy * d[3 * n + o] + 2 * gz * d[4 * n + o]) +
      gz * gz * d[5 * n + o];
    const x = ((o % nx) - 0.5 * (nx - 1)) * voxelSizes[0];
    const y = ((Math.floor(o / nx) % ny) - 0.5 * (ny - 1)) * voxelSizes[1];
    const z = (Math.floor(o / (nx * ny)) - 0.5 * (dims[2] - 1)) * voxelSizes[2];
    const hz = field ? field[o] : 0;
    warp.map(x, y, z, hz, field ? fieldSlope(field, frame, o, warp.axis) : 0);
    const lit = sampleLinear(sensitivity, dims, warp.vx, warp.vy, warp.vz);
    out[o] = s0[o] * Math.exp(-b * along) * lit;
  }
  return out;
}

/** Volume `t` resampled once by the truth: what no estimate can better. */
export function aligned({ series, parameters }: TrueScan, t: number): Float32Array {
  return correctVolume(series, t, parameters[t], series.volumes[t]);
}

export { sensitivityOf };
