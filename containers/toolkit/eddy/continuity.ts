/**
 * Places a shell with respect to the b0s. Registration across contrasts errs by a tenth of a voxel and more, by which b0
 * and weighted signal then mismatch wherever the head has an edge. But a head moves little from one volume to the next:
 * where a b0 and a weighted volume were acquired one after the other, both lie at one place but for that step. The more
 * such pairs and the smaller the steps, the more the mean over the pairs counts against registration.
 */
import type { Acquisition } from '../files.ts';
import { robustLeastSquares } from './linear.ts';
import type { Series } from './series.ts';
import { FIELD_START } from './warp.ts';

/** True where two volumes were acquired in one run, phase encoded alike. */
export function sameRun(a: Acquisition, b: Acquisition): boolean {
  return a.readoutSeconds === b.readoutSeconds && a.direction.every((d, c) => d === b.direction[c]);
}

/** A movement, 3 translations (mm) and 3 rotations (radians), and the variance of each number. */
export interface Offset {
  readonly value: Float64Array;
  readonly variance: Float64Array;
}

/**
 * Mean movement from b0s to the volumes of a shell next to them in time.
 * @param shell volumes of the shell, ascending  @param parameters of all volumes
 * @returns undefined where no b0 is next to a volume of the shell
 */
export function offsetFromB0s(
  series: Series,
  b0s: readonly number[],
  shell: readonly number[],
  parameters: readonly Float64Array[],
): Offset | undefined {
  const pairs = b0s.flatMap((b0) =>
    [b0 - 1, b0 + 1]
      .filter((t) => shell.includes(t) && sameRun(series.acquisitions[t], series.acquisitions[b0]))
      .map((t) => ({ b0, t })),
  );
  if (pairs.length === 0) return undefined;
  const rows = pairs.map(() => [1]);
  const value = new Float64Array(FIELD_START);
  const variance = new Float64Array(FIELD_START);
  for (let c = 0; c < FIELD_START; c++) {
    const between = pairs.map(({ b0, t }) => parameters[t][c] - parameters[b0][c]);
    value[c] = robustLeastSquares(rows, between)[0];
    let squares = 0;
    for (let i = 1; i < shell.length; i++)
      squares += (parameters[shell[i]][c] - parameters[shell[i - 1]][c]) ** 2;
    variance[c] = squares / Math.max(1, shell.length - 1) / pairs.length;
  }
  return { value, variance };
}

/** Standard deviation of registration by mutual information, in voxels; of its rotations, at the head's edge. */
const REGISTRATION_SD = 0.1;
/** mm from the centre of the head to where a rotation is felt. */
const RADIUS = 50;

/** Mean of both estimates of one movement, each weighted by one over its variance. */
export function combine(
  { value, variance }: Offset,
  registered: Float64Array,
  voxelMm: number,
): Float64Array {
  const mm = REGISTRATION_SD * voxelMm;
  return value.map((v, c) => {
    const own = (c < 3 ? mm : mm / RADIUS) ** 2;
    return (v * own + registered[c] * variance[c]) / (own + variance[c]);
  });
}
