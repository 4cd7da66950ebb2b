/** The statistical methods, and the headline results, in words. */
import type { AnalysisPlan, CohortAnalysis } from '../../statistics/plan.ts';
import * as format from './format.ts';

/** Paragraphs for a methods section: what was tested, and how numbers are to be read. */
export function statisticalMethods(plan: AnalysisPlan): string[] {
  const { reference, treatment } = plan.groups;
  const covariates = plan.covariates ?? [];
  return [
    'Change in mean diffusivity (dMD) is MD at baseline minus MD at follow-up, averaged over the voxels of a region that had data in the subject.',
    `Groups were compared with two-sided independent t-tests (Student's with pooled variance; Welch's beside it). Differences are ${reference} minus ${treatment}; d is Cohen's, with the pooled standard deviation.`,
    ...(plan.winsorize === 'tukey'
      ? [
          "Tests of dMD were repeated on Winsorized values: those outside Tukey's fences (1.5 interquartile ranges beyond the quartiles of all subjects of both groups) were pulled to the nearest value inside.",
        ]
      : []),
    `Each d-score was regressed on dMD, group and their product by ordinary least squares. Group is coded 0 (${reference}) and 1 (${treatment}), and dMD is centred on its mean before multiplying; β is the slope times the standard deviation of its term over that of the d-score. The slope of dMD is therefore that of ${reference}, and the product says how much the slope of ${treatment} differs from it. The same models with all variables, group included, z-scored before multiplying (coding z) are among the coefficients: the test of the product is the same.`,
    "Effect sizes of group differences in the tables are Cohen's d and Hedges' g with exact 95 % confidence intervals from the noncentral t distribution. p values of the regions' group tests, and of each outcome's interactions, are also given adjusted for the number of regions: by Holm (family-wise error) and by Benjamini and Hochberg (false discovery rate).",
    ...(plan.checks
      ? [
          `Each primary interaction was tested again with heteroscedasticity-consistent errors (HC3) and by ${plan.checks.permutations} permutations of the residuals of the model without it (Freedman and Lane; seed ${plan.checks.seed}).`,
        ]
      : []),
    ...(covariates.length > 0
      ? [
          `Each regression was repeated with ${covariates.map((set) => set.map(format.covariate).join(' and ')).join('; with ')}.`,
        ]
      : []),
    'Within each group dMD and d-score were correlated (Pearson; confidence intervals by Fisher’s z).',
    'A subject was left out of an analysis only where a value that it needs was missing. p values are two-sided and not corrected for the number of tests.',
  ];
}

/** What a reader wants first: scores by group, dMD by group, interactions. One sentence each. */
export function headlines(analysis: CohortAnalysis): string[] {
  return [...scoreHeadlines(analysis), changeHeadline(analysis), ...interactionHeadlines(analysis)];
}

function scoreHeadlines({ outcomeTests, plan }: CohortAnalysis): string[] {
  return outcomeTests
    .filter((test) => !test.exploratory)
    .map(({ variable, result }) => {
      if (!result.ok) return `${variable} by group could not be tested: ${result.reason}.`;
      const { first, second, student, cohensD } = result.value;
      const summary = `${format.fixed(first.mean, 1)} in ${plan.groups.reference}, ${format.fixed(second.mean, 1)} in ${plan.groups.treatment}`;
      return `${variable} d-score: ${summary}; ${format.tEquals(student.t, student.df)}, ${format.pEquals(student.p)}, d = ${format.fixed(cohensD, 2)}.`;
    });
}

function changeHeadline({ changeTests }: CohortAnalysis): string {
  const tests = changeTests.flatMap(({ variable, result }) =>
    result.ok ? [{ variable, student: result.value.student }] : [],
  );
  if (tests.length === 0) return 'dMD could not be compared between the groups.';
  const low = tests.filter(({ student }) => student.p < 0.05);
  const lowest = Math.min(...tests.map(({ student }) => student.p));
  if (low.length === 0)
    return `dMD did not differ between the groups in any of ${format.count(tests.length, 'region')} (lowest ${format.pEquals(lowest)}).`;
  const list = low.map(
    ({ variable, student }) =>
      `${variable} (${format.tEquals(student.t, student.df)}, ${format.pEquals(student.p)})`,
  );
  return `dMD differed between the groups in ${list.join('; ')}: ${low.length} of ${format.count(tests.length, 'region')}.`;
}

function interactionHeadlines({ regressions, plan }: CohortAnalysis): string[] {
  return plan.outcomes.map((outcome) => {
    const models = regressions.flatMap(({ roi, result, ...cell }) =>
      cell.outcome === outcome && cell.change === 'raw' && cell.covariates.length === 0 && result.ok
        ? [{ roi, ...result.value.dummyCoded.interaction }]
        : [],
    );
    if (models.length === 0) return `No model of ${outcome} could be fitted.`;
    const low = models.filter(({ p }) => p < 0.05);
    const lowest = Math.min(...models.map(({ p }) => p));
    if (low.length === 0)
      return `dMD × group predicted ${outcome} in none of ${format.count(models.length, 'region')} (lowest ${format.pEquals(lowest)}).`;
    const list = low.map(
      ({ roi, beta, t, p }) =>
        `${roi} (β = ${format.bare(beta)}, t = ${format.fixed(t, 3)}, ${format.pEquals(p)})`,
    );
    return `dMD × group predicted ${outcome} in ${list.join('; ')}: ${low.length} of ${format.count(models.length, 'region')}.`;
  });
}
