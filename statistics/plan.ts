/** What a cohort's analysis needs to know, and what it gives back. All plain data: it goes through JSON unchanged. */
import type { EffectSize } from './effect-size.ts';
import type { Result } from './errors.ts';
import type { InteractionChecks, InteractionModel } from './interaction.ts';
import type { Correlation } from './pearson.ts';
import type { PermutationOptions } from './permutation.ts';
import type { TTest } from './t-test.ts';
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
  /** Change in score by outcome. */
  readonly scores: Readonly<Record<string, Measured>>;
  /** Numbers, or words for categories. */
  readonly covariates: Readonly<Record<string, number | string | null | undefined>>;
}

export interface AnalysisPlan {
  readonly groups: { readonly reference: string; readonly treatment: string };
  readonly rois: readonly string[];
  readonly outcomes: readonly string[];
  /** Outcomes analysed alike and marked as exploratory. */
  readonly exploratory?: readonly string[];
  /** Sets of covariates; each regression is repeated with each set. `baselineMd` stands for the region's own baseline MD. */
  readonly covariates?: readonly (readonly string[])[];
  /** `tukey` adds a Winsorized twin to every test of dMD. */
  readonly winsorize: WinsorizeMethod;
  /** Tests each primary interaction again by HC3 and by permutation; absent: not. */
  readonly checks?: PermutationOptions;
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

export interface OutcomeTest extends GroupTest {
  readonly exploratory: boolean;
}

export interface ChangeTest extends GroupTest {
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
}

/** Tests that answer one question about several regions, and their p adjusted for being several. */
export interface Family {
  /** `dMD` for the group tests, or the outcome whose interactions they are. */
  readonly name: string;
  readonly members: readonly {
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
  readonly outcomeTests: readonly OutcomeTest[];
  readonly changeTests: readonly ChangeTest[];
  /** Whether the groups differed before treatment. */
  readonly baselineTests: readonly GroupTest[];
  readonly regressions: readonly InteractionCell[];
  readonly correlations: readonly CorrelationCell[];
  /** Group tests of raw dMD, and primary interactions of each outcome; tests that could not be made do not count. */
  readonly families: readonly Family[];
}
