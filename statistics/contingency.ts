/** Whether two categorical variables are independent. */
import { chiSquareUpperTail } from './distributions.ts';
import { attempt, type Result, StatisticsError } from './errors.ts';
import { fisherExact } from './fisher-exact.ts';

/** Counts, rows x columns: levels of one variable by groups, say. */
export type ContingencyTable = readonly (readonly number[])[];

export interface ChiSquare {
  readonly statistic: number;
  readonly p: number;
}

export interface Contingency {
  readonly n: number;
  readonly df: number;
  /** Pearson's chi-square without correction: R's chisq.test(correct = FALSE), and R's answer for any table above 2 x 2. */
  readonly chiSquare: ChiSquare;
  /** With Yates' continuity correction, which R's chisq.test applies to 2 x 2 tables unless told otherwise; else null. */
  readonly yates: ChiSquare | null;
  /** Two-sided p of Fisher's exact test, or that the table is too large for it. */
  readonly fisherP: Result<number>;
  /** Cramer's V, 0 to 1, of the uncorrected chi-square; phi's size in a 2 x 2 table. */
  readonly cramersV: number;
  readonly smallestExpected: number;
  /** Fisher's test where a cell expects less than 5 (the strict reading of Cochran 1954), otherwise chi-square. */
  readonly preferred: 'fisher' | 'chiSquare';
}

/**
 * Tests a table of counts; rows and columns without a single count are dropped first.
 * @throws StatisticsError CONSTANT where fewer than two rows or two columns remain; NOT_FINITE
 * @throws RangeError where a count is negative or no whole number, or rows differ in length
 */
export function contingency(counts: ContingencyTable): Contingency {
  const table = withoutEmpty(counts);
  const [rows, columns] = [table.length, table[0]?.length ?? 0];
  if (rows < 2 || columns < 2) throw new StatisticsError('CONSTANT', 'a variable has one level only');
  const rowTotals = table.map(total);
  const columnTotals = transpose(table).map(total);
  const n = total(rowTotals);
  const expected = rowTotals.map((r) => columnTotals.map((c) => (r * c) / n));
  const df = (rows - 1) * (columns - 1);
  /** As R, a correction never takes a deviation past zero. */
  const chiSquare = (correction: number): ChiSquare => {
    let statistic = 0;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        statistic += Math.max(0, Math.abs(table[i][j] - expected[i][j]) - correction) ** 2 / expected[i][j];
    return { statistic, p: chiSquareUpperTail(statistic, df) };
  };
  const uncorrected = chiSquare(0);
  const smallestExpected = Math.min(...expected.flat());
  return {
    n,
    df,
    chiSquare: uncorrected,
    yates: df === 1 ? chiSquare(0.5) : null,
    fisherP: attempt(() => fisherExact(table)),
    cramersV: Math.sqrt(uncorrected.statistic / (n * (Math.min(rows, columns) - 1))),
    smallestExpected,
    preferred: smallestExpected < 5 ? 'fisher' : 'chiSquare',
  };
}

function withoutEmpty(counts: ContingencyTable): number[][] {
  if (counts.some((row) => row.length !== counts[0].length))
    throw new RangeError('contingency: rows of unequal length');
  if (!counts.flat().every(Number.isFinite)) throw new StatisticsError('NOT_FINITE', 'a count is missing');
  if (counts.flat().some((count) => !Number.isSafeInteger(count) || count < 0))
    throw new RangeError('contingency: a count is negative or no whole number');
  const filled = (rows: ContingencyTable) => rows.filter((row) => total(row) > 0);
  return transpose(filled(transpose(filled(counts))));
}

function transpose(rows: ContingencyTable): number[][] {
  return (rows[0] ?? []).map((_, j) => rows.map((row) => row[j]));
}

function total(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0);
}
