/**
 * `npm run calibration [-- COHORTS] [--tests]`: over simulated cohorts of the published size, does the plan's analysis err as
 * often as it says? Type-I error of every test where there is no effect, coverage of its 95 % intervals where there are.
 * One table of figure, bound, pass or fail; exit code 1 when one falls short. `--tests` prints every test's own row.
 */
import { analysePlan } from '../../statistics/analyse.ts';
import { normalQuantile } from '../../statistics/distributions.ts';
import type { CohortAnalysis, SubjectRow } from '../../statistics/plan.ts';
import { randomStream } from '../../statistics/random.ts';
import {
  PLANTED_TRIAL,
  simulateTrial,
  type TrialEffects,
  trialPlan,
  trialTable,
  withoutEffects,
} from '../../statistics/simulated-trial.ts';
import { type Figure, keeps, line } from '../accuracy/figure.ts';
import { falseAlarms, falseAlarmsBeyondPlan, misses, type Verdict } from './verdicts.ts';

const SEED = 1;
/** Errors in percent that every test promises, and how far from it tests that are alike may be, together. */
const NOMINAL = 5;
const TOLERANCE = 1;

const words = process.argv.slice(2);
const given = words.find((word) => !word.startsWith('--'));
const cohorts = Number(given ?? 2000);
if (!Number.isInteger(cohorts) || cohorts < 2000) {
  console.error(`${given} is no number of cohorts: give 2000 or more, fewer cannot tell a point`);
  process.exit(2);
}

/** How often each test was wrong, by family. */
type Tally = Map<string, Map<string, number>>;

function tally(verdicts: Iterable<Verdict>): Tally {
  const families: Tally = new Map();
  for (const { family, test, wrong } of verdicts) {
    const tests = families.get(family) ?? new Map<string, number>();
    families.set(family, tests);
    tests.set(test, (tests.get(test) ?? 0) + (wrong ? 1 : 0));
  }
  return families;
}

function* simulate(
  effects: TrialEffects,
  stream: number,
  judge: (analysis: CohortAnalysis, table: readonly SubjectRow[], cohort: number) => Verdict[],
): Iterable<Verdict> {
  const plan = trialPlan(effects);
  for (let cohort = 0; cohort < cohorts; cohort++) {
    const table = trialTable(simulateTrial(effects, randomStream(SEED, stream, cohort)));
    yield* judge(analysePlan(plan, table), table, cohort);
    if ((cohort + 1) % 250 === 0) console.error(`  ${cohort + 1} of ${cohorts} cohorts`);
  }
}

/**
 * Tests that are alike together keep within a point of what they promise. One test's share of errors among 2,000 cohorts has
 * a standard error of 0.49 points, so the one farthest off keeps a bound that all tests of the run together, were each exactly
 * right, would keep in 99 of 100 runs (Bonferroni).
 */
function figures(families: Tally, what: (percent: number) => string, all: number): [Figure, Figure[]][] {
  const standardError = Math.sqrt((NOMINAL * (100 - NOMINAL)) / cohorts);
  const single = standardError * normalQuantile(1 - 0.01 / 2 / all);
  return [...families].map(([family, tests]) => {
    const figure = (name: string, wrong: number, atMost: number): Figure => {
      const percent = (100 * wrong) / cohorts;
      const bound = { atMost };
      return {
        what: `${name}: ${what(percent)}`,
        value: Math.abs(percent - NOMINAL),
        unit: 'points',
        bound,
      };
    };
    const counts = [...tests.values()];
    const pooled = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const each = [...tests].map(([test, wrong]) => figure(`  ${test}`, wrong, single));
    return [figure(`${family} (${counts.length})`, pooled, TOLERANCE), each];
  });
}

const without = withoutEffects(PLANTED_TRIAL);
const sections = [
  {
    title: `Type-I error at .05, ${cohorts} cohorts without effects`,
    families: tally(
      simulate(without, 0, (analysis, table, cohort) => [
        ...falseAlarms(analysis),
        ...falseAlarmsBeyondPlan(without, table, cohort),
      ]),
    ),
    what: (percent: number) => `${percent.toFixed(2)} %`,
  },
  {
    title: `Coverage of 95 % intervals, ${cohorts} cohorts with effects`,
    families: tally(
      simulate(PLANTED_TRIAL, 1, (analysis, table, cohort) => misses(analysis, PLANTED_TRIAL, table, cohort)),
    ),
    what: (percent: number) => `${(100 - percent).toFixed(2)} %`,
  },
];
const all = sections.reduce(
  (sum, { families }) => sum + [...families.values()].reduce((n, tests) => n + tests.size, 0),
  0,
);
const printed: Figure[] = [];
const print = (figure: Figure) => {
  printed.push(figure);
  console.log(line(figure));
};
for (const { title, families, what } of sections) {
  console.log(`\n${title}`);
  for (const [pooled, each] of figures(families, what, all)) {
    print(pooled);
    const farthest = each.reduce((most, one) => (one.value > most.value ? one : most));
    if (words.includes('--tests')) each.forEach(print);
    else print({ ...farthest, what: `  farthest: ${farthest.what.trim()}` });
  }
}
const short = printed.filter((figure) => !keeps(figure));
console.log(`\n${printed.length - short.length} of ${printed.length} figures keep their bounds`);
process.exitCode = short.length > 0 ? 1 : 0;
