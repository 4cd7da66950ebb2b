/**
 * The trial that the simulated cohort takes part in: who is in which group, how much MD falls in each region, and how
 * the clinical scores follow from it. The regressions are planted, so that an analysis can be checked against them.
 */
import { type RandomStream, randomStream } from './random.ts';
import { ROI_NAMES, type RoiName } from './regions.ts';
import type { RegionalChange } from './subject.ts';

export type Group = 'vehicle' | 'ketamine';

/** Fall of MD (baseline minus 24 h) in a region, in mm2/s: mean per group, standard deviation between subjects. */
export interface PlantedChange {
  readonly vehicle: number;
  readonly ketamine: number;
  readonly sd: number;
}

/**
 * Improvement of a score (baseline minus 24 h), in points:
 *   intercept + group x g + slope x X + interaction x g x X + noise,
 * where g is 0 for vehicle and 1 for ketamine, X the true dMD of `region` in 1e-5 mm2/s less `centre`.
 */
export interface PlantedScore {
  readonly region: RoiName;
  /** 1e-5 mm2/s. */
  readonly centre: number;
  readonly intercept: number;
  readonly group: number;
  readonly slope: number;
  readonly interaction: number;
  readonly noiseSd: number;
  readonly baseline: { readonly mean: number; readonly sd: number };
  /** Best and worst possible score. */
  readonly range: readonly [number, number];
}

/** Everything planted. */
export interface PlantedEffects {
  readonly change: Readonly<Record<RoiName, PlantedChange>>;
  readonly madrs: PlantedScore;
  readonly qids: PlantedScore;
}

/**
 * The default: ketamine lowers MD everywhere a little; MADRS improves more with ketamine and with the fall in the
 * right hippocampus; QIDS follows left BA10 in opposite directions in the two groups (an interaction).
 */
export const DEFAULT_EFFECTS: PlantedEffects = {
  change: {
    lBA10: { vehicle: 0, ketamine: 3e-5, sd: 2e-5 },
    rBA10: { vehicle: 0, ketamine: 3e-5, sd: 2e-5 },
    lAmygdala: { vehicle: 0, ketamine: 2e-5, sd: 2e-5 },
    rAmygdala: { vehicle: 0, ketamine: 2e-5, sd: 2e-5 },
    lHippocampus: { vehicle: 0, ketamine: 2.5e-5, sd: 2e-5 },
    rHippocampus: { vehicle: 0, ketamine: 2.5e-5, sd: 2e-5 },
    vACC: { vehicle: 0, ketamine: 3e-5, sd: 2e-5 },
  },
  madrs: {
    region: 'rHippocampus',
    centre: 1.5,
    intercept: 6,
    group: 7,
    slope: 1,
    interaction: 0,
    noiseSd: 4,
    baseline: { mean: 33, sd: 4 },
    range: [0, 60],
  },
  qids: {
    region: 'lBA10',
    centre: 1.5,
    intercept: 4,
    group: 3,
    slope: -0.6,
    interaction: 1.4,
    noiseSd: 1.5,
    baseline: { mean: 19, sd: 2.5 },
    range: [0, 27],
  },
};

/** One participant: a row of participants.tsv, and the truth. */
export interface Participant {
  /** Without `sub-`. */
  readonly label: string;
  readonly age: number;
  readonly sex: 'F' | 'M';
  readonly group: Group;
  readonly madrs: readonly [baseline: number, after: number];
  readonly qids: readonly [baseline: number, after: number];
  /** True dMD per region in mm2/s. */
  readonly change: RegionalChange;
}

function drawScore(
  planted: PlantedScore,
  change: RegionalChange,
  group: Group,
  random: RandomStream,
): readonly [number, number] {
  const [best, worst] = planted.range;
  const clip = (score: number) => Math.min(worst, Math.max(best, Math.round(score)));
  const g = group === 'ketamine' ? 1 : 0;
  const x = change[planted.region] / 1e-5 - planted.centre;
  const baseline = clip(planted.baseline.mean + planted.baseline.sd * random.normal());
  const improvement =
    planted.intercept +
    planted.group * g +
    (planted.slope + planted.interaction * g) * x +
    planted.noiseSd * random.normal();
  return [baseline, clip(baseline - improvement)];
}

/** Draws a cohort; groups are dealt at random. Equal arguments give equal cohorts. */
export function drawCohort(
  seed: number,
  groups: Readonly<Record<Group, number>>,
  effects: PlantedEffects,
): Participant[] {
  const total = groups.vehicle + groups.ketamine;
  const deal = randomStream(seed, 'groups');
  const order = Array.from({ length: total }, (_, i) => ({ key: deal.uniform(), i })).sort(
    (a, b) => a.key - b.key,
  );
  const vehicle = new Set(order.slice(0, groups.vehicle).map(({ i }) => i));
  const digits = Math.max(2, String(total).length);
  return Array.from({ length: total }, (_, i): Participant => {
    const label = String(i + 1).padStart(digits, '0');
    const random = randomStream(seed, label, 'participant');
    const group: Group = vehicle.has(i) ? 'vehicle' : 'ketamine';
    const change = Object.fromEntries(
      ROI_NAMES.map((name) => {
        const planted = effects.change[name];
        return [name, planted[group] + planted.sd * random.normal()];
      }),
    ) as Record<RoiName, number>;
    return {
      label,
      age: Math.round(22 + 40 * random.uniform()),
      sex: random.uniform() < 0.6 ? 'F' : 'M',
      group,
      madrs: drawScore(effects.madrs, change, group, random),
      qids: drawScore(effects.qids, change, group, random),
      change,
    };
  });
}
