/** The text of a new study file, from what a survey of the BIDS folder found. Pure; every choice is commented. */
import { stringify } from 'yaml';
import { PROFILES } from './profiles.ts';

/** What {@link studyText} needs to know of a dataset. */
export interface Survey {
  /** Short name to begin with; characters a study name may not have are replaced. */
  readonly name: string;
  /** Path of the BIDS folder as it is to be written. */
  readonly bids: string;
  /** Number of subjects. */
  readonly subjects: number;
  /** Session label -> number of subjects that have it; empty where there is no session level. */
  readonly sessions: Readonly<Record<string, number>>;
  /** Per direction label (`default`: none): what sidecars leave out, and a file that does. */
  readonly gaps: readonly Gap[];
  readonly participants?: readonly SurveyColumn[];
}

export interface Gap {
  readonly direction: string;
  readonly phaseEncodingDirection: boolean;
  readonly totalReadoutTime: boolean;
  /** One of the files, for the comment. */
  readonly example: string;
  readonly files: number;
}

/** A column of the participants table with its distinct values (missing ones left out), sorted. */
export interface SurveyColumn {
  readonly name: string;
  readonly values: readonly string[];
}

/** A YAML scalar: quoted where plain text would be read as something else. */
function scalar(value: string): string {
  return stringify(value, { lineWidth: 0 }).trim();
}

const natural = new Intl.Collator('en', { numeric: true }).compare;

/** Baseline and follow-up among session labels: by name where one says so, else the first two in natural order. */
export function guessSessions(labels: readonly string[]): { baseline?: string; followup?: string } {
  const sorted = [...labels].sort(natural);
  const baseline = sorted.find((label) => /^(baseline|base|bl|pre)/i.test(label)) ?? sorted[0];
  const followup = sorted.find((label) => label !== baseline);
  return { ...(baseline && { baseline }), ...(followup && { followup }) };
}

function sessionLines({ sessions }: Survey): string[] {
  const labels = Object.keys(sessions);
  const { baseline, followup } = guessSessions(labels);
  if (baseline === undefined)
    return [
      '# The dataset has no ses- level: one session per subject, no change is computed.',
      'sessions: none',
    ];
  const counts = labels
    .sort(natural)
    .map((label) => `${label} (${sessions[label]})`)
    .join(', ');
  const found = `# Sessions found, with their number of subjects: ${counts}. Labels without ses-.`;
  return followup === undefined
    ? [found, '# One session only: MD is computed, no change.', `sessions: { only: ${scalar(baseline)} }`]
    : [
        found,
        '# CHECK that these are the two to compare; change = baseline - followup.',
        `sessions: { baseline: ${scalar(baseline)}, followup: ${scalar(followup)} }`,
      ];
}

/** What a label usually stands for in dcm2niix's images, whose second axis runs to the front; to be checked. */
const USUAL: Record<string, string> = { AP: 'j-', PA: 'j' };

function acquisitionLines({ gaps }: Survey): string[] {
  if (gaps.length === 0)
    return [
      '# Every sidecar has PhaseEncodingDirection and a readout time: nothing to add under "acquisition".',
    ];
  const lines = [
    '# TODO: sidecars leave out what topup and eddy need. Take it from the scanner protocol: a wrong direction doubles',
    '# the distortion instead of removing it. If the readout time cannot be found, an equal value for both directions',
    '# corrects the images all the same; the field is then not in Hz.',
    '# acquisition:',
  ];
  for (const gap of gaps) {
    const fields = [
      gap.phaseEncodingDirection && `phaseEncodingDirection: ${USUAL[gap.direction.toUpperCase()] ?? 'TODO'}`,
      gap.totalReadoutTime && 'totalReadoutTime: 0.05',
    ].filter((field) => field !== false);
    lines.push(
      `#   ${scalar(gap.direction)}: { ${fields.join(', ')} }   # ${gap.files} sidecars, such as ${gap.example}`,
    );
  }
  return lines;
}

/** The group column: named like one, with at least two values. */
export function guessGroup(
  columns: readonly SurveyColumn[],
): { column: string; reference: string; treatment: string; levels: readonly string[] } | undefined {
  const column = columns.find(
    ({ name, values }) =>
      /^(group|treatment|arm|condition|drug|randomi[sz]ation)/i.test(name) && values.length >= 2,
  );
  if (!column) return undefined;
  const { values } = column;
  const reference =
    values.find((level) => /placebo|vehicle|control|sham|saline|^hc$|^0$/i.test(level)) ?? values[0];
  const treatment = values.find((level) => level !== reference)!;
  return { column: column.name, reference, treatment, levels: values };
}

const BEFORE = /^(.+?)[_-]?(baseline|base|bl|pre|before|t0)$/i;

/** Pairs of score columns: `madrs_baseline` with `madrs_24h`, `madrs_post`, or with the follow-up session's label. */
export function guessOutcomes(
  columns: readonly SurveyColumn[],
  followup?: string,
): { name: string; baseline: string; followup: string }[] {
  const numeric = columns.filter(
    ({ values }) => values.length > 0 && values.every((v) => Number.isFinite(Number(v))),
  );
  const after = (suffix: string) =>
    suffix.toLowerCase() === followup?.toLowerCase() ||
    /^(followup|follow_up|fu|post|after|t1|\d+ ?(h|hr|d|day|w|week)s?|(day|week|hour)_?\d+)$/i.test(suffix);
  return numeric.flatMap(({ name }) => {
    const stem = BEFORE.exec(name)?.[1];
    const partner = numeric.find(
      (c) =>
        stem !== undefined &&
        c.name.startsWith(stem) &&
        after(c.name.slice(stem.length).replace(/^[_-]/, '')),
    );
    return stem && partner ? [{ name: stem.toUpperCase(), baseline: name, followup: partner.name }] : [];
  });
}

function participantLines(survey: Survey): string[] {
  const columns = survey.participants;
  if (columns === undefined)
    return [
      '# There is no participants.tsv: imaging only, no statistics. With one, add "participants" and "statistics".',
    ];
  const id = columns.find(({ name }) => name === 'participant_id') ?? columns[0];
  const group = guessGroup(columns);
  if (!group)
    return [
      `# TODO for statistics: no column of participants.tsv looks like a group. Its columns: ${columns.map((c) => c.name).join(', ')}`,
      '# participants:',
      '#   file: participants.tsv   # relative to bids',
      `#   id: ${scalar(id.name)}`,
      '#   group: { column: GROUP, reference: CONTROL, treatment: DRUG }',
    ];
  const { followup } = guessSessions(Object.keys(survey.sessions));
  const outcomes = guessOutcomes(columns, followup);
  const used = new Set([id.name, group.column, ...outcomes.flatMap((o) => [o.baseline, o.followup])]);
  const rest = columns.filter(({ name }) => !used.has(name)).map(({ name }) => name);
  const ages = rest.filter((name) => /^age/i.test(name));
  const lines = [
    `# CHECK: levels of ${group.column}: ${group.levels.join(', ')}. Group differences are reference minus treatment.`,
    'participants:',
    '  file: participants.tsv   # relative to bids',
    `  id: ${scalar(id.name)}`,
    `  group: { column: ${scalar(group.column)}, reference: ${scalar(group.reference)}, treatment: ${scalar(group.treatment)} }`,
    '',
  ];
  if (outcomes.length === 0)
    return [
      ...lines,
      `# TODO for statistics: name the score columns. Columns not used yet: ${rest.join(', ') || 'none'}`,
      '# statistics:',
      '#   outcomes: [{ name: MADRS, baseline: COLUMN, followup: COLUMN }]   # or { name: MADRS, change: COLUMN }',
    ];
  return [
    ...lines,
    `# d-score = baseline - followup. Columns not used: ${rest.join(', ') || 'none'}`,
    'statistics:',
    '  outcomes:',
    ...outcomes.map(
      (o) =>
        `    - { name: ${scalar(o.name)}, baseline: ${scalar(o.baseline)}, followup: ${scalar(o.followup)} }`,
    ),
    `  covariates: [${ages.map(scalar).join(', ')}]   # each in a sensitivity run of its own; baselineMd: MD of the region at baseline`,
    '  exploratory: []   # further outcomes, in the form of "outcomes"',
    '  winsorize: tukey   # tests are repeated with outliers pulled in; or none',
  ];
}

/** Text of a study file: loads as soon as the lines marked TODO are filled in. */
export function studyText(survey: Survey): string {
  const id =
    survey.name
      .replace(/[^A-Za-z0-9_-]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 64) || 'study';
  return `${[
    `# Study file of delta-md, written from ${survey.subjects} subjects. Relative paths start at the folder of this file.`,
    '',
    '# Short name: letters, digits, dash, underscore. It begins every workflow id.',
    `study: ${scalar(id)}`,
    '# title: Full title for reports',
    '',
    '# Raw data; only read.',
    `bids: ${scalar(survey.bids)}`,
    '# output: ./derivatives   # default: derivatives/delta-md inside bids',
    'work: ./work   # scratch; can be deleted when all is done',
    '',
    ...sessionLines(survey),
    '',
    ...acquisitionLines(survey),
    '',
    '# FA template and regions, both in the same space. TODO: name the files.',
    'template: ./template/fa.nii.gz',
    'rois:',
    '  image: ./rois.nii.gz   # each region has its own whole number',
    '  labels: { 1: region1, 2: region2 }   # or a TSV with the columns index and name',
    '  minimumCoverage: 0.5   # share of a region that must hold data',
    '',
    ...Object.values(PROFILES).map((profile) => `# ${profile.name}: ${profile.summary}`),
    'profile: toolkit',
    '',
    '# Tools as programs of this machine; or { kind: docker, image: delta-md-toolkit:0.1.0 }.',
    'runtime: { kind: process }',
    '',
    '# What one step may use. Memory grows up to the limit when a step runs out.',
    'resources: { cpus: 2, memoryMiB: 4096, memoryLimitMiB: 16384, timeFactor: 1 }',
    'retries: { tool: 1 }   # further tries when a tool ends with an error',
    '',
    '# exclude: { sub-12: "scanner upgrade" }   # subjects left out, each with its reason',
    '',
    ...participantLines(survey),
  ].join('\n')}\n`;
}
