/** The whole plan of a trial over one table. A cell that cannot be computed says why and leaves the others alone. */
import { effectSize } from './effect-size.ts';
import { attempt, type Result, StatisticsError } from './errors.ts';
import { type InteractionInput, interactionChecks, interactionModel } from './interaction.ts';
import { adjustP } from './multiplicity.ts';
import { pearson } from './pearson.ts';
import type {
  AnalysisPlan,
  ChangeTest,
  CohortAnalysis,
  CorrelationCell,
  Family,
  InteractionCell,
  LeftOut,
  SubjectRow,
} from './plan.ts';
import type { Term } from './regression.ts';
import { type TTest, tTest } from './t-test.ts';
import { winsorize } from './winsorize.ts';

/** A variable of the table: its value for a subject, or undefined where it was not measured. */
interface Variable {
  readonly name: string;
  read(row: SubjectRow): number | string | undefined;
}

/** A {@link Variable} whose values are numbers. */
interface NumericVariable extends Variable {
  read(row: SubjectRow): number | undefined;
}

/**
 * Group tests of every d-score, of every region's dMD (raw and Winsorized) and baseline MD; the interaction model of
 * every outcome and region, alone and with each set of covariates; correlations within each group. Subjects are left
 * out cell by cell, only where a value is missing. Sorted as the plan is; deterministic.
 * @param table one row per subject; a second row of the same subject is left out
 */
export function analysePlan(plan: AnalysisPlan, table: readonly SubjectRow[]): CohortAnalysis {
  const { rows, leftOut } = usableRows(plan, table);
  const treated = (row: SubjectRow) => (row.group === plan.groups.treatment ? 1 : 0);
  const outcomes = [
    ...plan.outcomes.map((name) => ({ ...score(name), exploratory: false })),
    ...(plan.exploratory ?? []).map((name) => ({ ...score(name), exploratory: true })),
  ];
  const groupTest = (variable: NumericVariable) => {
    const { complete, leftOut } = completeRows(rows, [variable]);
    const [first, second] = byGroup(complete, variable);
    return {
      variable: variable.name,
      n: complete.length,
      leftOut,
      result: attempt(() => tTest(first, second)),
      effect: attempt(() => effectSize(first, second)),
    };
  };
  /** Values of the reference group, then of the treatment group. */
  const byGroup = (complete: readonly SubjectRow[], variable: NumericVariable): number[][] =>
    [0, 1].map((group) =>
      numbers(
        complete.filter((row) => treated(row) === group),
        variable,
      ),
    );
  const compareGroups = (complete: readonly SubjectRow[], variable: NumericVariable): Result<TTest> => {
    const [first, second] = byGroup(complete, variable);
    return attempt(() => tTest(first, second));
  };

  const changes = plan.rois.map((roi) => ({
    roi,
    raw: change(roi),
    ...(plan.winsorize === 'none' ? { winsorized: null, pulled: [] } : winsorizedChange(roi, rows, plan)),
  }));
  const changeTests = changes.map(({ roi, raw, winsorized, pulled }): ChangeTest => {
    const test = groupTest(raw);
    const { complete } = completeRows(rows, [raw]);
    return {
      ...test,
      variable: roi,
      winsorized: winsorized === null ? null : compareGroups(complete, winsorized),
      pulled,
    };
  });

  const regressions: InteractionCell[] = [];
  const correlations: CorrelationCell[] = [];
  for (const outcome of outcomes)
    for (const { roi, raw, winsorized } of changes) {
      const about = { outcome: outcome.name, exploratory: outcome.exploratory, roi };
      for (const covariates of [[], ...(plan.covariates ?? [])]) {
        const variables = covariates.map((name) => covariate(name, roi));
        const { complete, leftOut } = completeRows(rows, [outcome, raw, ...variables]);
        for (const dMd of winsorized === null ? [raw] : [raw, winsorized]) {
          const fitted = <T>(calculate: (input: InteractionInput) => T) =>
            attempt(() => calculate(modelInput(complete, outcome, dMd, variables, treated)));
          const { checks } = plan;
          const isPrimary = dMd === raw && covariates.length === 0;
          regressions.push({
            ...about,
            change: dMd === raw ? 'raw' : 'winsorized',
            covariates,
            n: complete.length,
            leftOut,
            result: fitted(interactionModel),
            ...(isPrimary && checks ? { checks: fitted((input) => interactionChecks(input, checks)) } : {}),
          });
        }
      }
      for (const group of [plan.groups.reference, plan.groups.treatment]) {
        const { complete, leftOut } = completeRows(
          rows.filter((row) => row.group === group),
          [outcome, raw],
        );
        const result = attempt(() => pearson(numbers(complete, raw), numbers(complete, outcome)));
        correlations.push({ ...about, group, n: complete.length, leftOut, result });
      }
    }

  return {
    plan,
    n: {
      reference: rows.filter((row) => treated(row) === 0).length,
      treatment: rows.filter((row) => treated(row) === 1).length,
    },
    leftOut,
    outcomeTests: outcomes.map((outcome) => ({ ...groupTest(outcome), exploratory: outcome.exploratory })),
    changeTests,
    baselineTests: plan.rois.map((roi) => ({ ...groupTest(baselineMd(roi)), variable: roi })),
    regressions,
    correlations,
    families: [
      family(
        'dMD',
        changeTests.map(({ variable, result }) => [variable, result.ok ? result.value.student.p : undefined]),
      ),
      ...outcomes.map(({ name }) =>
        family(
          name,
          regressions
            .filter((cell) => cell.outcome === name && cell.change === 'raw' && cell.covariates.length === 0)
            .map(({ roi, result }) => [roi, result.ok ? result.value.dummyCoded.interaction.p : undefined]),
        ),
      ),
    ],
  };
}

/** Adjusts the p of those tests that could be made. */
function family(name: string, tests: readonly (readonly [roi: string, p: number | undefined])[]): Family {
  const made = tests.flatMap(([roi, p]) => (p === undefined ? [] : [{ roi, p }]));
  const p = made.map((member) => member.p);
  const [holm, fdr] = [adjustP(p, 'holm'), adjustP(p, 'benjamini-hochberg')];
  return { name, members: made.map((member, i) => ({ ...member, holm: holm[i], fdr: fdr[i] })) };
}

/** Rows of either group, the first of each subject. */
function usableRows(plan: AnalysisPlan, table: readonly SubjectRow[]) {
  const { reference, treatment } = plan.groups;
  const rows: SubjectRow[] = [];
  const leftOut: LeftOut[] = [];
  const seen = new Set<string>();
  for (const row of table) {
    if (seen.has(row.subject)) leftOut.push({ subject: row.subject, why: 'a second row of this subject' });
    else if (row.excluded !== undefined) leftOut.push({ subject: row.subject, why: row.excluded });
    else if (row.group !== reference && row.group !== treatment)
      leftOut.push({ subject: row.subject, why: `group ${row.group || '(none)'} is not compared` });
    else rows.push(row);
    seen.add(row.subject);
  }
  return { rows, leftOut };
}

/** Rows in which every variable was measured, and the others with what they lack. */
function completeRows(rows: readonly SubjectRow[], variables: readonly Variable[]) {
  const complete: SubjectRow[] = [];
  const leftOut: LeftOut[] = [];
  for (const row of rows) {
    const missing = variables.filter((variable) => variable.read(row) === undefined);
    if (missing.length === 0) complete.push(row);
    else leftOut.push({ subject: row.subject, why: `no ${missing.map(({ name }) => name).join(', no ')}` });
  }
  return { complete, leftOut };
}

function modelInput(
  rows: readonly SubjectRow[],
  outcome: NumericVariable,
  dMd: NumericVariable,
  covariates: readonly Variable[],
  treated: (row: SubjectRow) => number,
): InteractionInput {
  return {
    outcome: { name: outcome.name, values: numbers(rows, outcome) },
    change: { name: dMd.name, values: numbers(rows, dMd) },
    treated: rows.map(treated),
    covariates: covariates.flatMap((variable) => columns(rows, variable)),
  };
}

/** The model columns of a covariate: itself, or for words an indicator for each level but the first in the alphabet. */
function columns(rows: readonly SubjectRow[], { name, read }: Variable): Term[] {
  const values = rows.map((row) => read(row)!);
  if (values.every((v) => typeof v === 'number')) return [{ name, values }];
  const words = values.map(String);
  const [, ...levels] = [...new Set(words)].sort();
  if (levels.length === 0) throw new StatisticsError('CONSTANT', `${name} does not vary`);
  return levels.map((level) => ({
    name: `${name}=${level}`,
    values: words.map((w) => (w === level ? 1 : 0)),
  }));
}

/** One Winsorized value per subject and region: the same in the t-test and in every model. */
function winsorizedChange(roi: string, rows: readonly SubjectRow[], plan: AnalysisPlan) {
  const raw = change(roi);
  const { complete } = completeRows(rows, [raw]);
  if (complete.length === 0) return { winsorized: raw, pulled: [] };
  const { values, pulled } = winsorize(numbers(complete, raw), plan.winsorize);
  const bySubject = new Map(complete.map((row, i) => [row.subject, values[i]]));
  const winsorized: NumericVariable = { ...raw, read: (row) => bySubject.get(row.subject) };
  return { winsorized, pulled: pulled.map((i) => complete[i].subject) };
}

const finite = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);

const score = (name: string): NumericVariable => ({ name, read: (row) => finite(row.scores[name]) });

const change = (roi: string): NumericVariable => ({
  name: `dMD in ${roi}`,
  read: (row) => finite(row.change[roi]),
});

const baselineMd = (roi: string): NumericVariable => ({
  name: `baseline MD in ${roi}`,
  read: (row) => finite(row.baselineMd[roi]),
});

function covariate(name: string, roi: string): Variable {
  if (name === 'baselineMd') return baselineMd(roi);
  return {
    name,
    read(row) {
      const value = row.covariates[name];
      return typeof value === 'string' && value !== '' ? value : finite(value);
    },
  };
}

function numbers(rows: readonly SubjectRow[], { read }: NumericVariable): number[] {
  return rows.map((row) => read(row)!);
}
