/** Ways in which a scan goes wrong, done to simulated sessions. All random choices come from the stream given. */
import { type Image, volumeOf, voxelCount } from '../../imaging/image.ts';
import type { SimulatedSession, SimulatedSet } from '../../imaging/phantom/index.ts';
import type { RandomStream } from '../../imaging/phantom/random.ts';
import type { RigidParameters } from '../../imaging/phantom/scanner.ts';
import type { AxisChange } from '../../imaging/qc/gradient-check.ts';

const copyOf = (set: SimulatedSet): SimulatedSet => ({
  ...set,
  image: { ...set.image, data: Float32Array.from(set.image.data) },
});

/** The same session with sets that may be spoilt. */
export function copySession(session: SimulatedSession): SimulatedSession {
  return { ...session, ap: copyOf(session.ap), pa: copyOf(session.pa) };
}

const pick = (random: RandomStream, n: number) => Math.floor(n * random.uniform());
const between = (random: RandomStream, low: number, high: number) => low + (high - low) * random.uniform();

/** View of one slice of a volume. */
function sliceOf(image: Image, volume: number, slice: number): Float32Array {
  const size = image.grid.dims[0] * image.grid.dims[1];
  return volumeOf(image, volume).subarray(slice * size, (slice + 1) * size);
}

/** Motion during the gradients: in four weighted volumes every second slice of half the brain loses 30 to 90 %. */
export function dropSlices(session: SimulatedSession, random: RandomStream): void {
  for (let n = 0; n < 4; n++) {
    const { image, gradients } = n % 2 ? session.ap : session.pa;
    const weighted = [...gradients.bvals.keys()].filter((t) => gradients.bvals[t] > 0);
    const volume = weighted[pick(random, weighted.length)];
    const slices = image.grid.dims[2];
    const first = Math.floor(slices * between(random, 0.2, 0.35));
    const kept = between(random, 0.1, 0.7);
    for (let k = first; k < first + slices / 2; k += 2) {
      const slice = sliceOf(image, volume, k);
      for (let i = 0; i < slice.length; i++) slice[i] *= kept;
    }
  }
}

/** A spike in k space of one slice: a wave of 8 to 20 % of white matter's signal over all of it. */
export function addSpike(session: SimulatedSession, random: RandomStream, white: number): void {
  const { image } = random.uniform() < 0.5 ? session.ap : session.pa;
  const [nx, , nz] = image.grid.dims;
  const slice = sliceOf(image, pick(random, image.volumes), Math.floor(between(random, 0.25, 0.75) * nz));
  const amplitude = white * between(random, 0.08, 0.2);
  const [u, v, phase] = [between(random, 0.5, 3), between(random, 0.5, 3), between(random, 0, 6)];
  for (let i = 0; i < slice.length; i++) {
    const angle = u * (i % nx) + v * Math.floor(i / nx) + phase;
    slice[i] = Math.hypot(slice[i] + amplitude * Math.cos(angle), amplitude * Math.sin(angle));
  }
}

/** The signal of either set falls, or rises, by a share from its first to its last volume. */
export function drift(session: SimulatedSession, share: number): void {
  for (const { image } of [session.ap, session.pa])
    for (let t = 0; t < image.volumes; t++) {
      const volume = volumeOf(image, t);
      const factor = 1 + (share * t) / (image.volumes - 1);
      for (let o = 0; o < volume.length; o++) volume[o] *= factor;
    }
}

/** A head that lies 6 mm elsewhere from the middle of a set on, and turns a little, besides its own motion. */
export function jump(motion: readonly RigidParameters[], random: RandomStream): RigidParameters[] {
  const from = Math.floor(motion.length * between(random, 0.2, 0.8));
  const direction = [random.normal(), random.normal(), random.normal()];
  const length = Math.hypot(...direction);
  const [x, y, z] = direction.map((d) => (6 * d) / length);
  return motion.map((p, t) => (t < from ? p : [p[0] + x, p[1] + y, p[2] + z, p[3], p[4], p[5]]));
}

/** A table with axes in another order and with other signs. */
export function turned(bvecs: Float64Array, { order, signs }: AxisChange): Float64Array {
  return bvecs.map((_, i) => signs[i % 3] * bvecs[i - (i % 3) + order[i % 3]]);
}

/** Any change of axes that is one. */
export function drawAxisChange(random: RandomStream): AxisChange {
  const orders = [
    [0, 1, 2],
    [1, 0, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 2, 0],
    [2, 0, 1],
  ] as const;
  const order = orders[pick(random, orders.length)];
  const negated = order === orders[0] ? pick(random, 3) : pick(random, 4);
  return { order, signs: [negated === 0 ? -1 : 1, negated === 1 ? -1 : 1, negated === 2 ? -1 : 1] };
}

/** What is left where the field of view ends in the brain: the lower or the upper 45 to 60 % of its slices. */
export function cutBrain(image: Image, brain: Image, random: RandomStream): Image {
  const [nx, ny, nz] = image.grid.dims;
  const filled = Array.from({ length: nz }, (_, k) => k).filter((k) =>
    brain.data.subarray(k * nx * ny, (k + 1) * nx * ny).some((value) => value > 0),
  );
  const count = Math.floor(filled.length * between(random, 0.45, 0.6));
  const isTop = random.uniform() < 0.5;
  const first = isTop ? filled[filled.length - count] : 0;
  const end = isTop ? nz : filled[count];
  const m = Float64Array.from(image.grid.affine);
  for (let r = 0; r < 3; r++) m[4 * r + 3] += m[4 * r + 2] * first;
  const grid = { ...image.grid, dims: [nx, ny, end - first] as const, affine: m };
  const data = new Float32Array(voxelCount(grid) * image.volumes);
  for (let t = 0; t < image.volumes; t++)
    data.set(volumeOf(image, t).subarray(first * nx * ny, end * nx * ny), t * voxelCount(grid));
  return { grid, volumes: image.volumes, data };
}
