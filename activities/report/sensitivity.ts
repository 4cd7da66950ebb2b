/** Whether the findings stand when they are looked at in other ways. */
import type { Result } from '../../statistics/errors.ts';
import type {
  ChangeTest,
  CohortAnalysis,
  GroupSensitivity,
  InteractionCell,
  InteractionSensitivity,
  OutcomeTest,
} from '../../statistics/plan.ts';
import type { Region } from '../../statistics/simple-slopes.ts';
import { primaryModels, twinOf } from './cells.ts';
import * as format from './format.ts';
import { type Column, type Html, html, table } from './markup.ts';
import { NONE, significance } from './results.ts';

/** Every table that the analysis has something for. */
export function sensitivityTables(analysis: CohortAnalysis, keepingExcluded?: CohortAnalysis): Html {
  const asked = analysis.plan.sensitivity !== undefined;
  return html`${interactionTable(analysis, keepingExcluded)}${changeTestTable(analysis, keepingExcluded)}${
    asked &&
    html`${nullTable(analysis)}${slopesTable(analysis)}${influenceTable(analysis)}${assumptionTable(analysis)}`
  }`;
}

/** A result's cell, or a dash where there is none. */
function value<T>(result: Result<T> | null | undefined, print: (value: T) => string | Html): string | Html {
  return result?.ok ? print(result.value) : NONE;
}

const interactionP = (cell: InteractionCell | undefined) =>
  value(cell?.result, ({ dummyCoded }) => significance(dummyCoded.interaction.p));

/** Primary models of all outcomes, those that are exploratory after the others. */
function allModels(analysis: CohortAnalysis): InteractionCell[] {
  const { outcomes, exploratory = [] } = analysis.plan;
  return [...outcomes, ...exploratory].flatMap((outcome) => primaryModels(analysis, outcome));
}

const WHERE: readonly Column<InteractionCell>[] = [
  { head: 'outcome', cell: ({ outcome }) => outcome, kind: 'words' },
  { head: 'region', cell: ({ roi }) => roi, kind: 'words' },
];

/** p of each interaction by every analysis of it. */
function interactionTable(analysis: CohortAnalysis, keeping?: CohortAnalysis): Html {
  const { plan } = analysis;
  const twin = (head: Html, change: InteractionCell['change'], covariates: readonly string[]) => ({
    head,
    cell: (cell: InteractionCell) => interactionP(twinOf(analysis, cell, change, covariates)),
  });
  const checks: Column<InteractionCell>[] = [
    { head: html`HC3<br>errors`, cell: ({ checks }) => value(checks, ({ hc3 }) => significance(hc3.p)) },
    {
      head: html`permu-<br>tation`,
      cell: ({ checks }) => value(checks, ({ permutation }) => significance(permutation.p)),
    },
  ];
  const clustered: Column<InteractionCell> = {
    head: html`errors by<br>${plan.sensitivity?.cluster ?? ''}`,
    cell: ({ sensitivity }) => value(sensitivity?.clusterRobust, ({ p }) => significance(p)),
  };
  const kept: Column<InteractionCell> = {
    head: html`excluded<br>kept`,
    cell: (cell) => interactionP(keeping && twinOf(keeping, cell, 'raw', [])),
  };
  return table(
    html`p of dMD × group in every analysis`,
    allModels(analysis),
    [
      ...WHERE,
      { head: 'primary', cell: interactionP },
      ...(plan.winsorize === 'none' ? [] : [twin(html`dMD<br>Winsorized`, 'winsorized', [])]),
      ...(plan.covariates ?? []).map((set) =>
        twin(html`with<br>${set.map(format.covariate).join(', ')}`, 'raw', set),
      ),
      ...(plan.checks ? checks : []),
      ...(plan.sensitivity?.cluster !== undefined ? [clustered] : []),
      ...(keeping ? [kept] : []),
    ],
    { note: 'Not adjusted for the number of regions. Bold: p < .05.' },
  );
}

/** p of each group test of dMD by every analysis of it. */
function changeTestTable(analysis: CohortAnalysis, keeping?: CohortAnalysis): Html {
  type Row = ChangeTest;
  const { plan, mixedModels, changeTests } = analysis;
  const winsorized: Column<Row> = {
    head: 'Winsorized',
    cell: (row) => value(row.winsorized, ({ student }) => significance(student.p)),
  };
  const ancova: Column<Row> = {
    head: html`adjusted for<br>baseline MD`,
    cell: (row) => value(row.ancova?.result, ({ difference }) => significance(difference.p)),
  };
  const mixed: Column<Row> = {
    head: html`mixed<br>model`,
    cell: ({ variable }) =>
      value(mixedModels.find(({ roi }) => roi === variable)?.result, ({ fixed }) => significance(fixed[3].p)),
  };
  const kept: Column<Row> = {
    head: html`excluded<br>kept`,
    cell: ({ variable }) =>
      value(keeping?.changeTests.find((test) => test.variable === variable)?.result, ({ student }) =>
        significance(student.p),
      ),
  };
  return table(
    'p of the group difference in dMD in every analysis',
    changeTests,
    [
      { head: 'region', cell: (row) => row.variable, kind: 'words' },
      {
        head: html`primary<br>(Student)`,
        cell: (row) => value(row.result, ({ student }) => significance(student.p)),
      },
      { head: 'Welch', cell: (row) => value(row.result, ({ welch }) => significance(welch.p)) },
      ...(plan.winsorize === 'none' ? [] : [winsorized]),
      ...(changeTests.some((test) => test.ancova !== null) ? [ancova] : []),
      ...(mixedModels.length > 0 ? [mixed] : []),
      ...(keeping ? [kept] : []),
    ],
    { note: 'Not adjusted for the number of regions. Bold: p < .05.' },
  );
}

/** What a test that found nothing is worth. */
function nullTable(analysis: CohortAnalysis): Html {
  interface Row {
    readonly name: string;
    readonly of: GroupSensitivity | undefined;
    readonly print: (value: number) => string;
  }
  const rows: Row[] = [
    ...analysis.outcomeTests.map((test: OutcomeTest) => ({
      name: `${test.variable} d-score`,
      of: test.sensitivity,
      print: (v: number) => format.fixed(v, 2),
    })),
    ...analysis.changeTests.map((test) => ({
      name: `dMD ${test.variable}`,
      of: test.sensitivity,
      print: format.change,
    })),
  ];
  return table(
    html`What finding no difference is worth <small>dMD in 10⁻³ mm²/s</small>`,
    rows,
    [
      { head: '', cell: ({ name }) => name, kind: 'words' },
      {
        head: html`bounds of no<br>importance`,
        cell: ({ of, print }) => value(of?.equivalence, ({ student: { bounds } }) => `±${print(bounds[1])}`),
      },
      {
        head: html`90 % CI of<br>the difference`,
        cell: ({ of, print }) =>
          value(of?.equivalence, ({ student: { ci90 } }) => `${print(ci90[0])} to ${print(ci90[1])}`),
      },
      {
        head: html`p<br>equivalence`,
        cell: ({ of }) => value(of?.equivalence, ({ student }) => significance(student.p)),
      },
      { head: html`Bayes factor<br>BF₁₀`, cell: ({ of }) => value(of?.bayesFactor, bayesFactor) },
      {
        head: html`smallest d found<br>with 80 % power`,
        cell: ({ of }) => value(of?.power, ({ minimumDetectableD }) => format.fixed(minimumDetectableD, 2)),
      },
      {
        head: html`power at<br>the bound`,
        cell: ({ of }) => value(of?.power, ({ power }) => format.percent(power)),
      },
    ],
    {
      note: 'p equivalence below .05: the difference lies within the bounds (two one-sided t-tests). BF₁₀: how many times likelier the data are with a difference than without; above 3 speaks for a difference, below ⅓ against one.',
    },
  );
}

function bayesFactor(factor: number): string {
  if (factor >= 1000) return '> 1000';
  return factor < 0.001 ? '< 0.001' : format.fixed(factor, factor < 0.1 ? 3 : 2);
}

const sensitivityOf =
  <T>(pick: (sensitivity: InteractionSensitivity) => Result<T>, print: (value: T) => string | Html) =>
  ({ sensitivity }: InteractionCell) =>
    sensitivity === undefined ? NONE : value(pick(sensitivity), print);

/** Slopes within the groups, and where along dMD the groups differ. */
function slopesTable(analysis: CohortAnalysis): Html {
  const { reference, treatment } = analysis.plan.groups;
  const slope = (which: 'reference' | 'treatment') =>
    sensitivityOf(
      ({ simpleSlopes }) => simpleSlopes,
      ({ [which]: { b, ci95 } }) =>
        format.interval(b * 1e-5, [ci95[0] * 1e-5, ci95[1] * 1e-5], (v) => format.fixed(v, 2)),
    );
  return table(
    html`Simple slopes <small>points of d-score per 10⁻⁵ mm²/s of dMD</small>`,
    allModels(analysis),
    [
      ...WHERE,
      { head: html`${reference}<br>slope [95 % CI]`, cell: slope('reference') },
      { head: html`${treatment}<br>slope [95 % CI]`, cell: slope('treatment') },
      {
        head: html`groups differ (p < .05)<br>where dMD is, 10⁻³ mm²/s`,
        cell: sensitivityOf(
          ({ simpleSlopes }) => simpleSlopes,
          ({ significant, observed }) => regionsInWords(significant, observed),
        ),
        kind: 'words',
      },
    ],
    { note: 'Regions of significance after Johnson and Neyman, within the observed range of dMD.' },
  );
}

/** Regions cut to what was observed: beyond it the model says nothing. */
function regionsInWords(regions: readonly Region[], [least, most]: readonly [number, number]): string {
  const inside = regions.flatMap(({ from, to }): [number, number][] => {
    const ends: [number, number] = [Math.max(from ?? least, least), Math.min(to ?? most, most)];
    return ends[0] < ends[1] ? [ends] : [];
  });
  if (inside.length === 0) return 'nowhere';
  return inside
    .map(([from, to]) => {
      if (from === least && to === most) return 'everywhere';
      if (from === least) return `below ${format.change(to)}`;
      return to === most ? `above ${format.change(from)}` : `${format.change(from)} to ${format.change(to)}`;
    })
    .join(', ');
}

/** Whom the primary models lean on. */
function influenceTable(analysis: CohortAnalysis): Html {
  const of = (print: Parameters<typeof sensitivityOf<Influence>>[1]) =>
    sensitivityOf(({ influence }) => influence, print);
  return table(
    'Influence of single subjects on dMD × group',
    allModels(analysis),
    [
      ...WHERE,
      {
        head: html`largest<br>Cook’s D`,
        cell: of(({ cooksDistance: { subject, value } }) => `${format.fixed(value, 2)} (${subject})`),
      },
      {
        head: html`farthest<br>DFBETAS`,
        cell: of(({ dfbetas: { subject, value } }) => `${format.fixed(value, 2)} (${subject})`),
      },
      {
        head: html`p without<br>that subject`,
        cell: of(({ without }) => value(without, ({ p }) => significance(p))),
      },
      {
        head: html`Cook’s D<br>above 4/n`,
        cell: of(({ influential }) => format.count(influential.length, 'subject')),
      },
    ],
    {
      note: 'DFBETAS: by how many standard errors the slope of the product changes when the subject is left out.',
    },
  );
}

type Influence = Extract<InteractionSensitivity['influence'], { ok: true }>['value'];

/** What the primary models suppose, and what they could have found. */
function assumptionTable(analysis: CohortAnalysis): Html {
  return table(
    'Assumptions and reach of the primary models',
    allModels(analysis),
    [
      ...WHERE,
      {
        head: html`residuals normal<br>(Shapiro–Wilk p)`,
        cell: sensitivityOf(
          ({ shapiroWilk }) => shapiroWilk,
          ({ p }) => significance(p),
        ),
      },
      {
        head: html`equal variance<br>(Breusch–Pagan p)`,
        cell: sensitivityOf(
          ({ breuschPagan }) => breuschPagan,
          ({ p }) => significance(p),
        ),
      },
      {
        head: html`largest<br>VIF`,
        cell: sensitivityOf(
          ({ varianceInflation }) => varianceInflation,
          (terms) => format.fixed(Math.max(...terms.map(({ vif }) => vif)), 2),
        ),
      },
      {
        head: html`BF₁₀ of the<br>product`,
        cell: sensitivityOf(({ bayesFactor }) => bayesFactor, bayesFactor),
      },
      {
        head: html`smallest f²<br>(80 % power)`,
        cell: sensitivityOf(
          ({ minimumDetectableF2 }) => minimumDetectableF2,
          (f2) => format.fixed(f2, 3),
        ),
      },
    ],
    {
      note: 'Bold: p < .05, the assumption does not hold; HC3 errors, permutation and bootstrap above do not need it. VIF: variance inflation; above 10 is much.',
    },
  );
}
