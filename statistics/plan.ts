/** What a cohort's analysis needs to know, and what it gives back. All plain data: it goes through JSON unchanged. */
import type { Ancova } from './ancova.ts';
import type { BreuschPagan, FTest, VarianceInflation } from './assumptions.ts';
import type { BootstrapInterval, BootstrapOptions } from './bootstrap.ts';
import type { EffectSize } from './effect-size.ts';
import type { EquivalenceOfMeans } from './equivalence.ts';
import type { Result } from './errors.ts';
import type { InteractionChecks, InteractionModel } from './interaction.ts';
import type { MixedModel } from './mixed-model.ts';
import type { ModelComparison } from './model-comparison.ts';
import type { Correlation } from './pearson.ts';
import type { PermutationOptions } from './permutation.ts';
import type { Coefficient } from './regression.ts';
import type { ShapiroWilk } from './shapiro-wilk.ts';
import type { SimpleSlopes } from './simple-slopes.ts';
import type { TTest } from './t-test.ts';
import type { Characteristic } from './table-one.ts';
import type { WinsorizeMethod } from './winsorize.ts';

/** A number, or nothing where it was not measured. */
export type Measured = number | null | undefined;

/** One subject of the table. */
export interface SubjectRow {
  readonly subject: string;
  readonly group: string;
  /** Why no analysis may use this row, as quality control or the study file says; absent: it may. */
  readonly excluded?: string;
  /** dMD = MD(baseline) - MD(follow-up) by region, in mm2/s. */
  readonly change: Readonly<Record<string, Measured>>;
  /** MD at baseline by region, in mm2/s. */
  readonly baselineMd: Readonly<Record<string, Measured>>;
  /** MD at follow-up by region, in mm2/s; absent: baseline less change. Counts by itself where the baseline is missing. */
  readonly followupMd?: Readonly<Record<string, Measured>>;
  /** Change in score by outcome: baseline - follow-up. */
  readonly scores: Readonly<Record<string, Measured>>;
  /** The scores themselves by outcome, where the table has them and not their change alone. */
  readonly sessionScores?: Readonly<
    Record<string, { readonly baseline: Measured; readonly followup: Measured }>
  >;
  /** Numbers, or words for categories. */
  readonly covariates: Readonly<Record<string, number | string | null | undefined>>;
  /** What Table 1 shows: numbers, or words for categories. */
  readonly characteristics?: Readonly<Record<string, number | string | null | undefined>>;
}

/** The largest differences between groups that do not matter, up or down. All above 0. */
export interface EquivalenceBounds {
  /** In pooled standard deviations, where there is no bound in the variable's own unit. */
  readonly d: number;
  /** Of dMD, in mm2/s. */
  readonly change?: number;
  /** Of d-scores, in points, by outcome. */
  readonly outcomes?: Readonly<Record<string, number>>;
}

/** What the analysis adds to each group test and primary model, to be read beside it. */
export interface SensitivityOptions {
  readonly equivalence: EquivalenceBounds;
  /** Absent: no bootstrap. */
  readonly bootstrap?: BootstrapOptions;
  /** Covariate whose values may share errors, such as the site; absent: none. */
  readonly cluster?: string;
}

export interface AnalysisPlan {
  readonly groups: { readonly reference: string; readonly treatment: string };
  readonly rois: readonly string[];
  readonly outcomes: readonly string[];
  /** Outcomes analysed alike and marked as exploratory. */
  readonly exploratory?: readonly string[];
  /** Sets of covariates; each regression is repeated with each set. `baselineMd` stands for the region's own baseline MD. */
  readonly covariates?: readonly (readonly string[])[];
  /** Rows of Table 1, named as in {@link SubjectRow.characteristics}. */
  readonly characteristics?: readonly string[];
  /** All but `none` adds a Winsorized twin to every test of dMD. */
  readonly winsorize: WinsorizeMethod;
  /**
   * Tests whose p are adjusted together. `outcome`, also where absent: the interactions of one outcome in all regions. `all`:
   * those of all outcomes that are not exploratory. Group tests of dMD are one family either way.
   */
  readonly families?: 'outcome' | 'all';
  /** Tests each primary interaction again by HC3 and by permutation; absent: not. */
  readonly checks?: PermutationOptions;
  /** Absent: neither sensitivity analyses nor mixed models. */
  readonly sensitivity?: SensitivityOptions;
}

/** A subject that an analysis could not use. */
export interface LeftOut {
  readonly subject: string;
  readonly why: string;
}

/** What every cell of the analysis tells: whom it is about, and its value or why there is none. */
export interface Cell<T> {
  readonly n: number;
  readonly leftOut: readonly LeftOut[];
  readonly result: Result<T>;
}

/** Group test of one variable; `first` is the reference group, so a difference is reference minus treatment. */
export interface GroupTest extends Cell<TTest> {
  readonly variable: string;
  readonly effect: Result<EffectSize>;
}

/** What a group test supposes, what it could have found, and what its silence is worth. */
export interface GroupSensitivity {
  /** Whether the groups spread alike. */
  readonly levene: Result<FTest>;
  /** Whether the values less their group's mean may be normal. */
  readonly shapiroWilk: Result<ShapiroWilk>;
  /** Whether the difference lies within the bounds that the plan says do not matter. */
  readonly equivalence: Result<EquivalenceOfMeans>;
  /** BF10: how many times likelier the data are with a difference than without (JZS, Cauchy scale .707). */
  readonly bayesFactor: Result<number>;
  readonly power: Result<GroupPower>;
}

/** Of Student's t-test at .05, two-sided, with as many subjects as there were. */
export interface GroupPower {
  /** The smallest true d that is found in 80 of 100 trials. */
  readonly minimumDetectableD: number;
  /** A true difference of the size of the plan's bound, in standard deviations, and in what share of trials it is found. */
  readonly d: number;
  readonly power: number;
}

/** A group test of a change, and the test of the same question by the values at follow-up. */
interface TestOfChange extends GroupTest {
  /** Follow-up adjusted for baseline; difference is treatment minus reference. Null where the table has the change alone. */
  readonly ancova: Cell<Ancova> | null;
  /** Where the plan asks for it. */
  readonly sensitivity?: GroupSensitivity;
}

export interface OutcomeTest extends TestOfChange {
  readonly exploratory: boolean;
}

export interface ChangeTest extends TestOfChange {
  /** Null where the plan does not Winsorize. */
  readonly winsorized: Result<TTest> | null;
  /** Subjects whose dMD was pulled in. Fences come from all subjects of both groups together. */
  readonly pulled: readonly string[];
}

export interface InteractionCell extends Cell<InteractionModel> {
  readonly outcome: string;
  readonly exploratory: boolean;
  readonly roi: string;
  readonly change: 'raw' | 'winsorized';
  /** Empty in the primary model. */
  readonly covariates: readonly string[];
  /** Of primary models of raw dMD, where the plan asks for them. */
  readonly checks?: Result<InteractionChecks>;
  /** What the interaction adds to the model without it; its F is the square of the interaction's t. */
  readonly r2Change: Result<ModelComparison>;
  /** Of primary models of raw dMD, where the plan asks for it. */
  readonly sensitivity?: InteractionSensitivity;
}

/** A primary interaction looked at from all sides. Terms are in 0/1 coding, dMD in mm2/s from its mean. */
export interface InteractionSensitivity {
  /** Slopes within the groups, and the group difference at dMD one sd below, at and one sd above its mean. */
  readonly simpleSlopes: Result<SimpleSlopes>;
  /** Null where the plan does not bootstrap. */
  readonly bootstrap: Result<InteractionBootstrap> | null;
  /** By errors that subjects of one cluster share; null where the plan names no cluster. */
  readonly clusterRobust: Result<Coefficient & { readonly df: number }> | null;
  readonly influence: Result<InteractionInfluence>;
  /** Per term of the model. */
  readonly varianceInflation: Result<readonly VarianceInflation[]>;
  readonly breuschPagan: Result<BreuschPagan>;
  /** Of the residuals. */
  readonly shapiroWilk: Result<ShapiroWilk>;
  /** BF10 of the interaction, given the other terms (JZS). */
  readonly bayesFactor: Result<number>;
  /** Cohen's f2 that the interaction would need to be found in 80 of 100 trials of this size at .05. */
  readonly minimumDetectableF2: Result<number>;
}

/** BCa intervals of the slopes, from subjects resampled within groups. */
export interface InteractionBootstrap {
  readonly resamples: number;
  /** Resamples that could not be computed and were drawn again. */
  readonly redrawn: number;
  readonly change: BootstrapInterval;
  readonly group: BootstrapInterval;
  readonly interaction: BootstrapInterval;
}

/** The subjects that the model leans on most. */
export interface InteractionInfluence {
  /** The largest. */
  readonly cooksDistance: { readonly subject: string; readonly value: number };
  /** Of the interaction's slope, with its sign: the farthest from 0. */
  readonly dfbetas: { readonly subject: string; readonly value: number };
  /** Subjects with a Cook's distance above 4 / n, in the order of the table. */
  readonly influential: readonly string[];
  /** The interaction without the subject of `dfbetas`. */
  readonly without: Result<Coefficient>;
}

/**
 * MD ~ session x group with a random intercept per subject, by REML. `fixed`: intercept, session (follow-up less baseline in
 * the reference group), group (at baseline), session x group (how much more MD rises with treatment). `n` counts subjects.
 */
export interface MixedModelCell extends Cell<MixedModel> {
  readonly roi: string;
}

/** Tests that answer one question about several regions, and their p adjusted for being several. */
export interface Family {
  /** `dMD` for the group tests, the outcome whose interactions they are, or `all outcomes`. */
  readonly name: string;
  readonly members: readonly {
    /** Undefined in the family of group tests. */
    readonly outcome?: string;
    readonly roi: string;
    readonly p: number;
    /** Family-wise error (Holm 1979). */
    readonly holm: number;
    /** False discovery rate (Benjamini & Hochberg 1995). */
    readonly fdr: number;
  }[];
}

export interface CorrelationCell extends Cell<Correlation> {
  readonly outcome: string;
  readonly exploratory: boolean;
  readonly roi: string;
  readonly group: string;
}

export interface CohortAnalysis {
  readonly plan: AnalysisPlan;
  /** Subjects of either group. */
  readonly n: { readonly reference: number; readonly treatment: number };
  /** Rows that no analysis could use. */
  readonly leftOut: readonly LeftOut[];
  /** The groups before treatment; `first` is the reference group. Empty where the plan names no characteristic. */
  readonly tableOne: readonly Characteristic[];
  readonly outcomeTests: readonly OutcomeTest[];
  readonly changeTests: readonly ChangeTest[];
  /** Whether the groups differed before treatment. */
  readonly baselineTests: readonly GroupTest[];
  readonly regressions: readonly InteractionCell[];
  readonly correlations: readonly CorrelationCell[];
  /** Per region; empty without {@link AnalysisPlan.sensitivity}. */
  readonly mixedModels: readonly MixedModelCell[];
  /** Group tests of raw dMD, and primary interactions of each outcome; tests that could not be made do not count. */
  readonly families: readonly Family[];
}
