/**
 * The table of a simulated trial, without images: who got what, regional MD, scores, covariates, and the truth behind them.
 * What it is for: to see whether an analysis errs as often as it says, over thousands of cohorts.
 */
import type { AnalysisPlan, SubjectRow } from './plan.ts';
import type { RandomStream } from './random.ts';

/** Fall of MD (baseline minus follow-up) in a region, in mm2/s: mean per group, standard deviation between subjects. */
export interface SimulatedChange {
  readonly reference: number;
  readonly treatment: number;
  readonly sd: number;
}

/**
 * Improvement of a score (baseline minus follow-up), in points:
 *   intercept + group g + (slope + interaction g) X + resistance (R - mean R) + noise,
 * g 0 for reference and 1 for treatment, X the dMD of `region` in 1e-5 mm2/s less `centre`, R the treatment resistance.
 */
export interface SimulatedScore {
  readonly name: string;
  readonly region: string;
  /** 1e-5 mm2/s. */
  readonly centre: number;
  readonly intercept: number;
  readonly group: number;
  readonly slope: number;
  readonly interaction: number;
  readonly resistance: number;
  readonly noiseSd: number;
  readonly baseline: { readonly mean: number; readonly sd: number };
  /** Best and worst possible score. */
  readonly range: readonly [number, number];
}

export interface TrialEffects {
  readonly groups: { readonly reference: string; readonly treatment: string };
  readonly n: { readonly reference: number; readonly treatment: number };
  /** By region. */
  readonly change: Readonly<Record<string, SimulatedChange>>;
  /** Correlation of dMD between any two regions of a subject, 0 to 1. */
  readonly correlation: number;
  /** MD at baseline in every region, in mm2/s. */
  readonly baselineMd: { readonly mean: number; readonly sd: number };
  readonly scores: readonly SimulatedScore[];
}

const CHANGE: SimulatedChange = { reference: 0, treatment: 1e-5, sd: 2e-5 };

/**
 * A trial of the published size. Ketamine lowers MD everywhere a little; MADRS improves with ketamine and with the fall in
 * the right hippocampus; QIDS follows left BA10 in opposite directions in the two groups (an interaction).
 */
export const PLANTED_TRIAL: TrialEffects = {
  groups: { reference: 'vehicle', treatment: 'ketamine' },
  n: { reference: 31, treatment: 67 },
  change: {
    lBA10: CHANGE,
    rBA10: CHANGE,
    lAmygdala: CHANGE,
    rAmygdala: CHANGE,
    lHippocampus: CHANGE,
    rHippocampus: CHANGE,
    vACC: CHANGE,
  },
  correlation: 0.4,
  baselineMd: { mean: 8e-4, sd: 4e-5 },
  scores: [
    {
      name: 'MADRS',
      region: 'rHippocampus',
      centre: 0.5,
      intercept: 8,
      group: 5,
      slope: 1,
      interaction: 0,
      resistance: -1,
      noiseSd: 6,
      baseline: { mean: 33, sd: 4 },
      range: [0, 60],
    },
    {
      name: 'QIDS',
      region: 'lBA10',
      centre: 0.5,
      intercept: 4,
      group: 2,
      slope: -0.5,
      interaction: 1.1,
      resistance: -0.4,
      noiseSd: 2.5,
      baseline: { mean: 19, sd: 2.5 },
      range: [0, 27],
    },
  ],
};

/** The same trial in which treatment does nothing and no score goes with dMD. */
export function withoutEffects(effects: TrialEffects): TrialEffects {
  const change = Object.entries(effects.change).map(
    ([roi, { reference, sd }]) => [roi, { reference, treatment: reference, sd }] as const,
  );
  const scores = effects.scores.map((score) => ({ ...score, group: 0, slope: 0, interaction: 0 }));
  return { ...effects, change: Object.fromEntries(change), scores };
}

/** One participant. */
export interface SimulatedSubject {
  /** With `sub-`. */
  readonly subject: string;
  readonly group: string;
  readonly age: number;
  readonly sex: 'F' | 'M';
  /** Antidepressants that failed before: 1 to {@link MOST_RESISTANT}. */
  readonly treatmentResistance: number;
  readonly antidepressant: (typeof ANTIDEPRESSANTS)[number];
  readonly benzodiazepine: 'yes' | 'no';
  /** MD at baseline by region, in mm2/s. */
  readonly baselineMd: Readonly<Record<string, number>>;
  /** MD(baseline) - MD(follow-up) by region, in mm2/s. */
  readonly change: Readonly<Record<string, number>>;
  /** Whole points. */
  readonly scores: Readonly<Record<string, { readonly baseline: number; readonly followup: number }>>;
}

const MOST_RESISTANT = 4;
const ANTIDEPRESSANTS = ['none', 'SSRI', 'SNRI', 'other'] as const;

/** Draws a cohort, groups dealt at random. Covariates go with nothing but the scores that `resistance` says. */
export function simulateTrial(effects: TrialEffects, random: RandomStream): SimulatedSubject[] {
  const { n, groups, correlation, baselineMd } = effects;
  const total = n.reference + n.treatment;
  const digits = Math.max(2, String(total).length);
  const rois = Object.entries(effects.change);
  let treatedLeft = n.treatment;
  return Array.from({ length: total }, (_, i): SimulatedSubject => {
    // Of the places left, as many are for treatment as are still to be treated.
    const treated = random.below(total - i) < treatedLeft;
    if (treated) treatedLeft--;
    const own = Math.sqrt(correlation) * random.normal();
    const change: Record<string, number> = {};
    const md: Record<string, number> = {};
    for (const [roi, planted] of rois) {
      const deviation = own + Math.sqrt(1 - correlation) * random.normal();
      change[roi] = (treated ? planted.treatment : planted.reference) + planted.sd * deviation;
      md[roi] = baselineMd.mean + baselineMd.sd * random.normal();
    }
    const treatmentResistance = 1 + random.below(MOST_RESISTANT);
    return {
      subject: `sub-${String(i + 1).padStart(digits, '0')}`,
      group: treated ? groups.treatment : groups.reference,
      age: 20 + random.below(45),
      sex: random.uniform() < 0.6 ? 'F' : 'M',
      treatmentResistance,
      antidepressant: ANTIDEPRESSANTS[random.below(ANTIDEPRESSANTS.length)],
      benzodiazepine: random.uniform() < 0.3 ? 'yes' : 'no',
      baselineMd: md,
      change,
      scores: Object.fromEntries(
        effects.scores.map((score) => [
          score.name,
          drawScore(score, change[score.region], treated ? 1 : 0, treatmentResistance, random),
        ]),
      ),
    };
  });
}

function drawScore(score: SimulatedScore, dMd: number, g: 0 | 1, resistance: number, random: RandomStream) {
  const [best, worst] = score.range;
  const clip = (points: number) => Math.min(worst, Math.max(best, Math.round(points)));
  const baseline = clip(score.baseline.mean + score.baseline.sd * random.normal());
  const improvement =
    score.intercept +
    score.group * g +
    (score.slope + score.interaction * g) * (dMd / 1e-5 - score.centre) +
    score.resistance * (resistance - (1 + MOST_RESISTANT) / 2) +
    score.noiseSd * random.normal();
  return { baseline, followup: clip(baseline - improvement) };
}

/** The trial's plan: every region, every score, once alone and once with resistance, medication and baseline MD. */
export function trialPlan({ groups, change, scores }: TrialEffects): AnalysisPlan {
  return {
    groups,
    rois: Object.keys(change),
    outcomes: scores.map(({ name }) => name),
    covariates: [['treatment_resistance', 'antidepressant', 'baselineMd']],
    winsorize: 'tukey',
  };
}

/** The cohort as an analysis takes it, covariates named as columns of a table: d-score = baseline - follow-up. */
export function trialTable(subjects: readonly SimulatedSubject[]): SubjectRow[] {
  return subjects.map(({ subject, group, change, baselineMd, scores, ...person }) => {
    const { age, sex, treatmentResistance, antidepressant, benzodiazepine } = person;
    return {
      subject,
      group,
      change,
      baselineMd,
      scores: Object.fromEntries(
        Object.entries(scores).map(([name, { baseline, followup }]) => [name, baseline - followup]),
      ),
      covariates: { age, sex, treatment_resistance: treatmentResistance, antidepressant, benzodiazepine },
    };
  });
}

/** What the analysis of a cohort should find, but for chance. Differences are reference minus treatment. */
export interface TrialTruth {
  /** Of mean dMD in mm2/s, by region. */
  readonly changeDifference: Readonly<Record<string, number>>;
  readonly scores: readonly ScoreTruth[];
}

export interface ScoreTruth {
  readonly name: string;
  /** Of the mean d-score, in points. */
  readonly difference: number;
  /** The region whose dMD the score follows. */
  readonly region: string;
  /** Slope of the d-score on that dMD in the reference group, in points per mm2/s. */
  readonly slope: number;
  /** By how much the slope is larger with treatment. */
  readonly interaction: number;
  /** Correlation of d-score and that dMD within each group. */
  readonly correlation: { readonly reference: number; readonly treatment: number };
}

/** Scores are whole points, which adds 1/12 to their variance; that they end somewhere is left out. */
export function trialTruth({ change, scores }: TrialEffects): TrialTruth {
  const changeDifference = Object.entries(change).map(
    ([roi, { reference, treatment }]) => [roi, reference - treatment] as const,
  );
  return {
    changeDifference: Object.fromEntries(changeDifference),
    scores: scores.map((score) => {
      const { reference, treatment, sd } = change[score.region];
      const treatedSlope = score.slope + score.interaction;
      const resistanceVariance = (MOST_RESISTANT ** 2 - 1) / 12;
      const rest = score.noiseSd ** 2 + score.resistance ** 2 * resistanceVariance + 1 / 12;
      const correlation = (slope: number) => {
        const along = slope * (sd / 1e-5);
        return along / Math.hypot(along, Math.sqrt(rest));
      };
      return {
        name: score.name,
        difference:
          score.slope * (reference / 1e-5 - score.centre) -
          score.group -
          treatedSlope * (treatment / 1e-5 - score.centre),
        region: score.region,
        slope: score.slope / 1e-5,
        interaction: score.interaction / 1e-5,
        correlation: { reference: correlation(score.slope), treatment: correlation(treatedSlope) },
      };
    }),
  };
}

/**
 * The true slope of group in the interaction model of a score and its region: the gain in points with treatment, for a
 * subject whose dMD (mm2/s) is `at`, where the model has its centre.
 */
export function groupEffectAt(score: SimulatedScore, at: number): number {
  return score.group + score.interaction * (at / 1e-5 - score.centre);
}
