/** A linear model cut in two: the column that is tested, and the nuisance that it is tested beside. */
import { StatisticsError } from './errors.ts';
import { centredQr, type Term } from './least-squares.ts';

/** A partition of the design, by QR. All columns have one value per subject. */
export interface Partition {
  /** Orthonormal basis of the nuisance, intercept first. */
  readonly nuisance: readonly Float64Array[];
  /** The part of the tested column outside the nuisance, scaled to unit length. */
  readonly tested: Float64Array;
  /** Length of that part before: the slope of an outcome y is (tested . y) / length. */
  readonly length: number;
  /** Residual degrees of freedom of the whole model. */
  readonly df: number;
}

/**
 * Cuts the model ~ 1 + nuisance + tested.
 * @throws StatisticsError TOO_FEW without a residual degree of freedom; CONSTANT or RANK_DEFICIENT naming the column
 */
export function partition(tested: Term, nuisance: readonly Term[]): Partition {
  const terms = [...nuisance, tested];
  const n = tested.values.length;
  const df = n - terms.length - 1;
  if (df < 1)
    throw new StatisticsError(
      'TOO_FEW',
      `${n} subjects cannot estimate ${terms.length + 1} coefficients and an error`,
    );
  const { orthogonal, upper, norms } = centredQr(terms, n);
  const column = (j: number, scale = 1) => Float64Array.from(orthogonal.getColumn(j), (v) => v * scale);
  const last = terms.length - 1;
  return {
    nuisance: [new Float64Array(n).fill(1 / Math.sqrt(n)), ...nuisance.map((_, j) => column(j))],
    tested: column(last, Math.sign(upper.get(last, last))),
    length: Math.abs(upper.get(last, last)) * norms[last],
    df,
  };
}

/** Dot product of two columns. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** What the nuisance leaves of a column: y minus its fit. Twice, so that rounding leaves nothing of the fit behind. */
export function residualize({ nuisance }: Partition, y: ArrayLike<number>): Float64Array {
  const left = Float64Array.from(y);
  for (let pass = 0; pass < 2; pass++)
    for (const q of nuisance) {
      const fit = dot(q, left);
      for (let i = 0; i < left.length; i++) left[i] -= fit * q[i];
    }
  return left;
}
