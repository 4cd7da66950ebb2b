/** Regression against the certified values of NIST's Statistical Reference Datasets, linear least squares. */
import { describe, expect, test } from 'vitest';
import { leastSquares } from '../../statistics/least-squares.ts';
import { linearRegression } from '../../statistics/regression.ts';
import { agree, reference } from '../fixtures/statistics/agree.ts';

interface Certified {
  name: string;
  /** Of the polynomial in x; 1: as many columns as x has. */
  degree: number;
  y: number[];
  x: number[][];
  certified: { b: number[]; se: number[]; residualSd: number; r2: number; f: number | null };
}

const sets = reference<Certified[]>('nist');
const named = (name: string) => sets.find((set) => set.name === name)!;

/** The columns as a user would give them: raw powers, neither centred nor scaled. */
function model({ y, x, degree }: Pick<Certified, 'y' | 'x' | 'degree'>) {
  const columns = degree === 1 ? x : Array.from({ length: degree }, (_, k) => x[0].map((v) => v ** (k + 1)));
  return [{ name: 'y', values: y }, columns.map((values, j) => ({ name: `x${j + 1}`, values }))] as const;
}

/** Certified values have 15 digits; we keep at least 12 of them. */
const DIGITS = 1e-12;

describe.each(sets.filter(({ name }) => name !== 'Filip'))('NIST $name', (set) => {
  const { certified } = set;

  test('coefficients', () => {
    const fit = leastSquares(...model(set));
    expect(agree([...fit.coefficients], certified.b, 'b', DIGITS)).toBe(certified.b.length);
  });

  // Wampler 1 and 2 have no error: their certified standard errors are zero.
  test('errors, R2 and F', () => {
    if (certified.residualSd === 0) {
      const { rss, tss } = leastSquares(...model(set));
      expect(Math.sqrt(rss)).toBeLessThan(1e-14 * Math.sqrt(tss));
      expect(() => linearRegression(...model(set))).toThrowError(
        expect.objectContaining({ code: 'PERFECT_FIT' }),
      );
      return;
    }
    const regression = linearRegression(...model(set));
    const coefficients = [regression.intercept, ...regression.slopes];
    agree(
      coefficients.map(({ b }) => b),
      certified.b,
      'b',
      DIGITS,
    );
    agree(
      coefficients.map(({ se }) => se),
      certified.se,
      'se',
      DIGITS,
    );
    const { residualSd, r2, f } = regression;
    agree(
      { residualSd, r2, f },
      { residualSd: certified.residualSd, r2: certified.r2, f: certified.f },
      '',
      DIGITS,
    );
  });
});

describe('NIST Filip, a polynomial of degree 10', () => {
  const { y, x, certified } = named('Filip');

  test('is refused in raw powers, whose condition number of 1e15 leaves doubles no digit to rely on; as in R', () => {
    expect(() => linearRegression(...model({ y, x, degree: 10 }))).toThrowError(
      expect.objectContaining({ code: 'RANK_DEFICIENT' }),
    );
  });

  test('is fitted in powers of x brought to -1 .. 1', () => {
    // x + 6 over 3: the fit is the same, and the highest coefficient but for its scale.
    const scaled = [x[0].map((v) => (v + 6) / 3)];
    const { r2, residualSd, f, slopes } = linearRegression(...model({ y, x: scaled, degree: 10 }));
    agree(
      { r2, residualSd, f, b: slopes[9].b / 3 ** 10, se: slopes[9].se / 3 ** 10 },
      {
        r2: certified.r2,
        residualSd: certified.residualSd,
        f: certified.f,
        b: certified.b[10],
        se: certified.se[10],
      },
      'Filip',
      1e-10,
    );
  });
});

test('the least squares do not depend on the unit or the origin of a column', () => {
  const [y, terms] = model(named('Longley'));
  const fit = leastSquares(y, terms);
  const moved = leastSquares(
    y,
    terms.map(({ name, values }, j) => ({
      name,
      values: values.map((v) => (v + 1000 * j) * 2 ** (10 * j - 30)),
    })),
  );
  agree(
    moved.coefficients.slice(1).map((b, j) => b * 2 ** (10 * j - 30)),
    fit.coefficients.slice(1),
    'b',
    1e-11,
  );
  agree(moved.residuals, fit.residuals, 'residuals', 1e-9);
  agree(moved.leverages, fit.leverages, 'leverages', 1e-10);
});

test('the pseudoinverse gives coefficients, and leverages sum to their number', () => {
  const [y, terms] = model(named('Longley'));
  const { pseudoinverse, coefficients, leverages } = leastSquares(y, terms);
  const product = pseudoinverse.map((row) => row.reduce((sum, v, i) => sum + v * y.values[i], 0));
  // Without refinement: Longley's condition number takes some digits.
  agree(product, coefficients, 'b', 1e-8);
  expect(leverages.reduce((a, b) => a + b)).toBeCloseTo(7, 10);
});
