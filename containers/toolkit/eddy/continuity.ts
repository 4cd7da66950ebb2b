/**
 * Places a shell with respect to the b0s. Registration across contrasts cannot do it finely: mutual information errs by
 * a fifth of a voxel and more, by which b0 and weighted signal then mismatch wherever the head has an edge. But a head moves
 * little from one volume to the next: where a b0 and a weighted volume were acquired one after the other, both lie at one
 * place but for that step, and the mean over all such pairs is exact.
 */
import type { Acquisition } from '../files.ts';
import { robustLeastSquares } from './linear.ts';
import type { Series } from './series.ts';
import { FIELD_START } from './warp.ts';

/** True where two volumes were acquired in one run, phase encoded alike. */
export function sameRun(a: Acquisition, b: Acquisition): boolean {
  return a.readoutSeconds === b.readoutSeconds && a.direction.every((d, c) => d === b.direction[c]);
}

/**
 * Mean movement from b0s to the volumes of a shell next to them in time.
 * @param shell volumes of the shell  @param parameters of all volumes
 * @returns 3 translations (mm), 3 rotations (radians); undefined where no b0 is next to a volume of the shell
 */
export function offsetFromB0s(
  series: Series,
  b0s: readonly number[],
  shell: readonly number[],
  parameters: readonly Float64Array[],
): Float64Array | undefined {
  const pairs = b0s.flatMap((b0) =>
    [b0 - 1, b0 + 1]
      .filter((t) => shell.includes(t) && sameRun(series.acquisitions[t], series.acquisitions[b0]))
      .map((t) => ({ b0, t })),
  );
  if (pairs.length === 0) return undefined;
  const rows = pairs.map(() => [1]);
  return Float64Array.from(
    { length: FIELD_START },
    (_, c) =>
      robustLeastSquares(
        rows,
        pairs.map(({ b0, t }) => parameters[t][c] - parameters[b0][c]),
      )[0],
  );
}
