/** A test of two groups looked at from other sides: what it supposes, what it can find, what finding nothing is worth. */
import { levene } from './assumptions.ts';
import { tTestBayesFactor } from './bayes-factor.ts';
import { mean } from './descriptive.ts';
import { equivalentMeans } from './equivalence.ts';
import { attempt } from './errors.ts';
import type { GroupPower, GroupSensitivity } from './plan.ts';
import { minimumDetectableD, tTestPower } from './power.ts';
import { shapiroWilk } from './shapiro-wilk.ts';
import { tTest } from './t-test.ts';

/** The largest difference that does not matter, above 0; `raw` in the unit of the values, `d` in pooled standard deviations. */
export interface EquivalenceBound {
  readonly unit: 'raw' | 'd';
  readonly value: number;
}

export function groupSensitivity(
  first: readonly number[],
  second: readonly number[],
  { unit, value }: EquivalenceBound,
): GroupSensitivity {
  return {
    levene: attempt(() => levene([first, second])),
    shapiroWilk: attempt(() => shapiroWilk([...aboutMean(first), ...aboutMean(second)])),
    equivalence: attempt(() => equivalentMeans(first, second, [-value, value], unit)),
    bayesFactor: attempt(() => tTestBayesFactor(tTest(first, second).student.t, first.length, second.length)),
    power: attempt((): GroupPower => {
      const [n1, n2] = [first.length, second.length];
      const pooledSd = tTest(first, second).student.se / Math.sqrt(1 / n1 + 1 / n2);
      const d = unit === 'd' ? value : value / pooledSd;
      return { minimumDetectableD: minimumDetectableD(n1, n2), d, power: tTestPower(n1, n2, d) };
    }),
  };
}

function aboutMean(values: readonly number[]): number[] {
  const centre = mean(values);
  return values.map((v) => v - centre);
}
