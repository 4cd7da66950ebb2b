/** Threshold-free cluster enhancement (Smith & Nichols 2009, NeuroImage 44:83). */

/** Which voxels of a grid are looked at, and how they touch. Plain data: it travels between threads. */
export interface Lattice {
  /** Voxels along i, j, k; i is fastest. */
  readonly dims: readonly [number, number, number];
  /** Grid index of each voxel of the mask, ascending: maps hold their values in this order. */
  readonly voxels: Int32Array;
  /** The same, in the grid with a rim of one voxel around it. */
  readonly places: Int32Array;
  /** Per place of the grid with its rim, the number of the voxel, or -1. */
  readonly voxelAt: Int32Array;
}

/** @param mask above zero where voxels are looked at; RangeError where it has another size than the grid */
export function lattice(dims: readonly [number, number, number], mask: ArrayLike<number>): Lattice {
  const [nx, ny, nz] = dims;
  if (mask.length !== nx * ny * nz) throw new RangeError('lattice: the mask has another size than the grid');
  const chosen: number[] = [];
  for (let v = 0; v < mask.length; v++) if (mask[v] > 0) chosen.push(v);
  const voxels = Int32Array.from(chosen);
  const places = voxels.map((v) => {
    const [i, j, k] = [v % nx, Math.floor(v / nx) % ny, Math.floor(v / (nx * ny))];
    return i + 1 + (nx + 2) * (j + 1 + (ny + 2) * (k + 1));
  });
  const voxelAt = new Int32Array((nx + 2) * (ny + 2) * (nz + 2)).fill(-1);
  for (let v = 0; v < places.length; v++) voxelAt[places[v]] = v;
  return { dims, voxels, places, voxelAt };
}

/** Steps to the 26 neighbours that share a face, an edge or a corner, in the grid with its rim. */
function neighbourSteps([nx, ny]: Lattice['dims']): Int32Array {
  const steps: number[] = [];
  for (const k of [-1, 0, 1])
    for (const j of [-1, 0, 1])
      for (const i of [-1, 0, 1])
        if (i !== 0 || j !== 0 || k !== 0) steps.push(i + (nx + 2) * (j + (ny + 2) * k));
  return Int32Array.from(steps);
}

/** Voxels that sorting can tell apart: see {@link descending}. */
const INDEX_BITS = 22;

/**
 * Enhances a map: each voxel gets the integral over heights h, from 0 to its own, of e(h)^0.5 h^2, where e(h) is the
 * number of voxels of its cluster (26 neighbours) at or above h. Negative values are enhanced alike and stay negative.
 *
 * The integral is exact: voxels join from the highest down, and between two events no cluster changes its size. Clusters
 * are trees (Tarjan 1975, J ACM 22:215) whose members hold what sets them apart from their root, so an event costs as
 * much for a large cluster as for a small one.
 * @param map one value per voxel of the lattice
 * @param dh height of a step, to compare with programs that add up steps: the sum over h = dh, 2 dh, ... of
 *   e(h)^0.5 h^2 dh. 0: the integral
 * @throws RangeError for a map of another size, or of more than four million voxels
 */
export function tfce(map: Float32Array, { dims, voxels, places, voxelAt }: Lattice, dh = 0): Float32Array {
  const n = voxels.length;
  if (map.length !== n) throw new RangeError('tfce: the map has another size than the lattice');
  if (n > 2 ** INDEX_BITS) throw new RangeError(`tfce: more than ${2 ** INDEX_BITS} voxels`);
  const steps = neighbourSteps(dims);
  const upTo = antiderivative(dh);
  const enhanced = new Float32Array(n);
  const parent = new Int32Array(n);
  const size = new Int32Array(n);
  /** Of a root: up to which height its sum is complete. */
  const reached = new Float64Array(n);
  /** Of a root: its sum. Of others: what to add to their parent's. */
  const sum = new Float64Array(n);
  const rootOf = (v: number) => {
    let r = v;
    while (parent[r] !== r) r = parent[r];
    return r;
  };
  const advance = (root: number, below: number) => {
    sum[root] += Math.sqrt(size[root]) * (reached[root] - below);
    reached[root] = below;
  };
  for (const sign of [1, -1]) {
    const order = descending(map, sign);
    parent.fill(-1);
    for (let i = 0; i < order.length; i++) {
      const v = order[i];
      const below = upTo(sign * map[v]);
      parent[v] = v;
      size[v] = 1;
      reached[v] = below;
      sum[v] = 0;
      let root = v;
      for (let s = 0; s < steps.length; s++) {
        const u = voxelAt[places[v] + steps[s]];
        if (u < 0 || parent[u] < 0) continue;
        const other = rootOf(u);
        if (other === root) continue;
        advance(root, below);
        advance(other, below);
        const large = size[other] > size[root] ? other : root;
        const small = large === root ? other : root;
        parent[small] = large;
        sum[small] -= sum[large];
        size[large] += size[small];
        root = large;
      }
    }
    for (const v of order) if (parent[v] === v) advance(v, 0);
    for (const v of order) {
      let total = sum[v];
      for (let r = v; parent[r] !== r; ) total += sum[(r = parent[r])];
      enhanced[v] = sign * total;
    }
  }
  return enhanced;
}

/** The integral of h^2 from 0 to h, or the sum of its steps. */
function antiderivative(dh: number): (h: number) => number {
  if (dh === 0) return (h) => h ** 3 / 3;
  return (h) => {
    // A height that is a whole number of steps but for rounding reaches its step.
    const m = Math.floor(h / dh + 1e-6);
    return (dh ** 3 * m * (m + 1) * (2 * m + 1)) / 6;
  };
}

/**
 * Voxels with sign x value above zero, highest first. One number holds a value and its voxel: the bits of positive floats
 * rise with them, 31 bits beside 22 for the voxel fill a double, and typed arrays sort numbers fast.
 */
function descending(map: Float32Array, sign: number): Int32Array {
  const bits = new Uint32Array(map.buffer, map.byteOffset, map.length);
  const keys = new Float64Array(map.length);
  let count = 0;
  for (let v = 0; v < map.length; v++)
    if (sign * map[v] > 0) keys[count++] = (bits[v] & 0x7fffffff) * 2 ** INDEX_BITS + v;
  const sorted = keys.subarray(0, count).sort();
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[count - 1 - i] = sorted[i] % 2 ** INDEX_BITS;
  return order;
}
