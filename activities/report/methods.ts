/** The statistical methods in words, with citations by the keys of `references.ts`. */
import type { AnalysisPlan } from '../../statistics/plan.ts';
import * as format from './format.ts';
import { cite } from './references.ts';

/** Paragraphs for a methods section: what was tested, and how numbers are to be read. */
export function statisticalMethods(plan: AnalysisPlan): string[] {
  const { reference, treatment } = plan.groups;
  const { covariates = [], checks, sensitivity, winsorize, characteristics = [], families } = plan;
  return [
    `Change in mean diffusivity (dMD) is MD at baseline minus MD at follow-up, averaged over the voxels of a region that had data in the subject; d-scores are baseline minus follow-up likewise.`,
    ...(characteristics.length > 0
      ? [
          `Baseline characteristics were compared by Student's t-test, Pearson's chi-square or, where a cell expects less than 5, Fisher's exact test; standardized differences are those of Austin ${cite('austin2009')}.`,
        ]
      : []),
    `Groups were compared with two-sided independent t-tests (Student's with pooled variance; Welch's ${cite('welch1947')} beside it). Differences are ${reference} minus ${treatment}. Effect sizes are Cohen's d and Hedges' g ${cite('hedges1981')} with exact 95 % confidence intervals from the noncentral t distribution.`,
    ...winsorizing(winsorize),
    `Each d-score was regressed on dMD, group and their product by ordinary least squares. Group is coded 0 (${reference}) and 1 (${treatment}), and dMD is centred on its mean before multiplying; β is the slope times the standard deviation of its term over that of the d-score. The slope of dMD is therefore that of ${reference}, and the product says how much the slope of ${treatment} differs from it. The same models with all variables, group included, z-scored before multiplying (coding z) are among the coefficients: the test of the product is the same. Confidence bands in the figures are those of this model.`,
    `p values of the regions' group tests, and of ${families === 'all' ? 'the interactions of all primary outcomes together' : "each outcome's interactions"}, are also given adjusted for their number: by Holm ${cite('holm1979')} (family-wise error) and by Benjamini and Hochberg ${cite('benjamini1995')} (false discovery rate).`,
    ...(checks
      ? [
          `Each primary interaction was tested again with heteroscedasticity-consistent errors (HC3) ${cite('mackinnon1985')} and by ${checks.permutations} permutations of the residuals of the model without it ${cite('freedman1983')} (seed ${checks.seed}).`,
        ]
      : []),
    ...(covariates.length > 0
      ? [
          `Each regression was repeated with ${covariates.map((set) => set.map(format.covariate).join(' and ')).join('; with ')}.`,
        ]
      : []),
    ...(sensitivity ? sensitivityMethods(sensitivity) : []),
    'Within each group dMD and d-score were correlated (Pearson; confidence intervals by Fisher’s z).',
    `A subject was left out of an analysis only where a value that it needs was missing; nothing was imputed. p values are two-sided and, unless named adjusted, not corrected for the number of tests. The flow of subjects follows CONSORT ${cite('schulz2010')}; clouds of dMD are kernel densities ${cite('allen2019')}.`,
  ];
}

function winsorizing(method: AnalysisPlan['winsorize']): string[] {
  if (method === 'none') return [];
  const limits =
    method === 'tukey'
      ? `outside Tukey's fences ${cite('tukey1977')} (1.5 interquartile ranges beyond the quartiles of all subjects of both groups)`
      : `beyond the ${method.percentile}th percentile at either end (of all subjects of both groups)`;
  return [
    `Tests of dMD were repeated on Winsorized values: those ${limits} were pulled to the nearest value inside.`,
  ];
}

function sensitivityMethods({ bootstrap, cluster }: NonNullable<AnalysisPlan['sensitivity']>): string[] {
  return [
    `MD was also compared at follow-up adjusted for baseline (analysis of covariance), and in a linear mixed model of session, group and their product with a random intercept per subject ${cite('laird1982')}, with Satterthwaite's degrees of freedom ${cite('satterthwaite1946')}.`,
    `For what finding no difference is worth: two one-sided tests of equivalence ${cite('schuirmann1987')}, Bayes factors with a Cauchy prior of scale .707 for group tests ${cite('rouder2009')} and their like for regression ${cite('rouder2012')} for the product, and the smallest effects found with a power of 80 % at this number of subjects.`,
    `Interactions were followed up by simple slopes and regions of significance ${cite('bauer2005')}, and examined for influential subjects (Cook's distance ${cite('cook1977')}, DFBETAS), normal residuals ${cite('shapiro1965')} and constant variance ${cite('koenker1981')}; equal spread of the groups by Levene's test about the median ${cite('brown1974')}.${
      bootstrap
        ? ` Confidence intervals of their slopes were also bootstrapped (${bootstrap.resamples} resamples of subjects within groups, BCa ${cite('efron1987')}, seed ${bootstrap.seed}).`
        : ''
    }${cluster === undefined ? '' : ` Errors were also clustered by ${cluster}.`}`,
  ];
}
