/**
 * The end of a cohort: regional MD of every finished subject gathered from the outputs, the change between sessions,
 * the trial's statistics, and the report. Everything is read from files, so `delta-md report` can do it again.
 */
import { basename, join } from 'node:path';
import { readParticipants } from '../config/participants.ts';
import type { OutcomeSettings } from '../config/schema.ts';
import type { Study } from '../config/study.ts';
import { isMissing, readTable } from '../config/tables.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { SubjectRow as CohortTableRow } from '../pipeline/roster.ts';
import { sessionName } from '../pipeline/study.ts';
import { analysePlan } from '../statistics/analyse.ts';
import type { CohortAnalysis, SubjectRow } from '../statistics/plan.ts';
import { describeDataset, toolsUsed } from './dataset-description.ts';
import { tsv, writeInto, writeJsonInto } from './derivatives.ts';
import { sessionOutputs } from './outputs.ts';
import { picturesOf, readSummary, type SubjectSummary } from './publish.ts';
import { renderGroupReport } from './report/html.ts';
import type { CohortRow, RoiRow, TruthRow } from './report/types.ts';
import { statisticsTables } from './statistics-tables.ts';
import { recoveredTruth } from './truth.ts';

/** One subject of a cohort that has ended, with what its own summary says. */
export interface FinalRow extends CohortTableRow {
  readonly summary?: SubjectSummary;
}

/** Where the cohort's results lie. */
export interface GroupResult {
  readonly report: string;
  readonly roiTable: string;
  /** Absent where the study asks for no statistics or has one session. */
  readonly statistics?: string;
}

/** Files of the group, below the output folder. */
export const GROUP_FILES = {
  report: 'report.html',
  rois: 'group_roi_md.tsv',
  change: 'group_dmd.tsv',
  statistics: 'group_statistics.json',
  truth: 'group_truth.json',
  cohort: 'logs/cohort.json',
} as const;

/** MD of one subject, session and region, as read back from the outputs. */
interface MdRow extends RoiRow {
  readonly label: string | null;
}

async function readMd(study: Study, subject: string): Promise<MdRow[]> {
  const rows: MdRow[] = [];
  for (const { label } of study.sessions) {
    const { table, problems } = await readTable(sessionOutputs(study, subject, label).scalarstats);
    if (problems.length > 0)
      throw new DeltaMdError('INPUT_MISSING', problems[0].message, {
        subject,
        remedy: `Make it again: delta-md retry ${subject}`,
      });
    for (const { cells } of table.rows)
      rows.push({
        subject,
        session: sessionName(label),
        label,
        roi: cells['node'],
        md: isMissing(cells['mean']) ? null : Number(cells['mean']),
        voxels: Number(cells['voxels_with_data']),
        coverage: Number(cells['coverage']),
        flagged: Number(cells['coverage']) < study.rois.minimumCoverage,
      });
  }
  return rows;
}

/** d-score = baseline - follow-up, or the column that holds it; null where a part is missing. */
function scoreOf(
  outcome: OutcomeSettings,
  values: Readonly<Record<string, number | string | null>>,
): number | null {
  const number = (column: string | undefined) => {
    const value = column === undefined ? null : values[column];
    return typeof value === 'number' ? value : null;
  };
  if (outcome.change !== undefined) return number(outcome.change);
  const [baseline, followup] = [number(outcome.baseline), number(outcome.followup)];
  return baseline === null || followup === null ? null : baseline - followup;
}

/** Regions below the coverage a study asks for are left out of the statistics, not averaged from scraps. */
function usable(row: MdRow | undefined): number | null {
  return row === undefined || row.flagged ? null : row.md;
}

async function analysisTable(study: Study, md: readonly MdRow[]): Promise<SubjectRow[]> {
  const [baseline, followup] = study.sessions;
  const participants = new Map((await readParticipants(study)).map((p) => [p.subject, p]));
  const outcomes = [...(study.statistics?.outcomes ?? []), ...(study.statistics?.exploratory ?? [])];
  return [...new Set(md.map((row) => row.subject))].map((subject) => {
    const of = (label: string | null, roi: string) =>
      usable(md.find((row) => row.subject === subject && row.label === label && row.roi === roi));
    const person = participants.get(subject);
    const change: Record<string, number | null> = {};
    const baselineMd: Record<string, number | null> = {};
    for (const { name } of study.rois.labels) {
      const before = of(baseline.label, name);
      const after = followup ? of(followup.label, name) : null;
      baselineMd[name] = before;
      change[name] = before === null || after === null ? null : before - after;
    }
    return {
      subject,
      group: person?.group ?? '',
      change,
      baselineMd,
      scores: Object.fromEntries(outcomes.map((o) => [o.name, scoreOf(o, person?.values ?? {})])),
      covariates: Object.fromEntries(
        (study.statistics?.covariates ?? []).map((c) => [c, person?.values[c] ?? null]),
      ),
    };
  });
}

function analyse(study: Study, table: readonly SubjectRow[]): CohortAnalysis | undefined {
  const { statistics, participants } = study;
  if (!statistics || !participants || study.sessions.length < 2) return undefined;
  return analysePlan(
    {
      groups: participants.group,
      rois: study.rois.labels.map((label) => label.name),
      outcomes: statistics.outcomes.map((o) => o.name),
      exploratory: statistics.exploratory.map((o) => o.name),
      covariates: statistics.covariates.map((c) => [c]),
      winsorize: statistics.winsorize,
      ...(statistics.permutations > 0
        ? { checks: { permutations: statistics.permutations, seed: statistics.seed } }
        : {}),
    },
    table,
  );
}

function methods(study: Study, tools: readonly { name: string; version: string }[]): string[] {
  const used = [...new Set(tools.map((tool) => tool.version))].join(', ');
  const { profile } = study;
  const motion = {
    resample: 'Head motion was corrected with mcflirt before eddy.',
    estimate: 'Head motion was measured with mcflirt and corrected, together with eddy currents, by eddy.',
    eddy: 'Head motion and eddy currents were corrected together by eddy.',
  }[profile.motion];
  return [
    `Diffusion images were processed with delta-md, profile ${profile.name} (${used}). Susceptibility distortion was estimated with topup from b0 images of opposed phase encoding where available. ${motion} The brain was extracted with bet (f = ${profile.betFraction}). Tensors were fitted with dtifit (${profile.dtifitFlags.join(' ') || 'ordinary least squares'}).`,
    `Baseline FA was registered to ${basename(study.template)} with fsl_reg (affine, then non-linear)${study.sessions.length > 1 ? '; the follow-up session was aligned to the baseline with flirt (6 degrees of freedom), and both MD maps were taken to template space in one interpolation' : ''}. MD was averaged per region over voxels with data; regions with less than ${Math.round(100 * study.rois.minimumCoverage)} % of their voxels were left out of the statistics.`,
  ];
}

const MEANING = {
  participant_id: 'Subject',
  session: 'Session',
  group: 'Treatment group',
  roi: 'Region',
  md: { Description: 'Mean diffusivity averaged over the voxels with data', Units: 'mm^2/s' },
  md_baseline: { Description: 'MD at baseline', Units: 'mm^2/s' },
  md_followup: { Description: 'MD at follow-up', Units: 'mm^2/s' },
  dmd: { Description: 'MD(baseline) - MD(follow-up)', Units: 'mm^2/s' },
  voxels: 'Voxels averaged',
  coverage: 'Share of the voxels of the region that had data, 0 to 1',
  flagged: 'true: below the coverage the study asks for, left out of the statistics',
};

/**
 * Gathers, analyses and reports a cohort.
 * @param version of delta-md  @param beat called between subjects, so that a heartbeat can be sent
 */
export async function finishCohort(
  study: Study,
  table: readonly CohortTableRow[],
  version: string,
  beat: () => void = () => {},
): Promise<GroupResult> {
  const at = (file: string) => join(study.output, file);
  const rows: FinalRow[] = [];
  for (const row of table)
    rows.push(row.status === 'done' ? { ...row, summary: await readSummary(study, row.subject) } : row);
  await writeJsonInto(at(GROUP_FILES.cohort), { study: study.study, rows });
  const done = rows.filter((row) => row.status === 'done').map((row) => row.subject);
  const used = await toolsUsed(study.output, done);
  await describeDataset(study, version, used);
  const md: MdRow[] = [];
  const pictures: { subject: string; caption: string; pngBase64: string }[] = [];
  for (const subject of done) {
    beat();
    md.push(...(await readMd(study, subject)));
    for (const { caption, png } of await picturesOf(study, subject))
      pictures.push({ subject, caption, pngBase64: png.toString('base64') });
  }
  const subjects = await analysisTable(study, md);

  const roiColumns = ['participant_id', 'session', 'roi', 'md', 'voxels', 'coverage', 'flagged'];
  await writeInto(
    at(GROUP_FILES.rois),
    tsv(
      roiColumns,
      md.map((row) => ({ ...row, participant_id: row.subject })),
    ),
  );
  await writeJsonInto(at(GROUP_FILES.rois.replace('.tsv', '.json')), MEANING);
  if (study.sessions.length > 1) {
    const changeColumns = ['participant_id', 'group', 'roi', 'md_baseline', 'md_followup', 'dmd'];
    const changes = subjects.flatMap((row) =>
      study.rois.labels.map(({ name }) => {
        const [before, change] = [row.baselineMd[name] ?? null, row.change[name] ?? null];
        return {
          participant_id: row.subject,
          group: row.group,
          roi: name,
          md_baseline: before,
          md_followup: before === null || change === null ? null : before - change,
          dmd: change,
        };
      }),
    );
    await writeInto(at(GROUP_FILES.change), tsv(changeColumns, changes));
    await writeJsonInto(at(GROUP_FILES.change.replace('.tsv', '.json')), MEANING);
  }

  const analysis = analyse(study, subjects);
  if (analysis) {
    await writeJsonInto(at(GROUP_FILES.statistics), analysis);
    for (const [name, text] of Object.entries(statisticsTables(analysis))) await writeInto(at(name), text);
  }
  const truth: TruthRow[] | undefined = await recoveredTruth(study, subjects);
  if (truth) await writeJsonInto(at(GROUP_FILES.truth), truth);

  beat();
  const tools = used.map(({ programs, version }) => ({ name: programs.join(', '), version }));
  const html = await renderGroupReport({
    title: study.title ?? study.study,
    run: { profile: study.profile.name, version, template: basename(study.template), tools },
    cohort: rows.map(cohortRow),
    rois: md,
    table: subjects,
    analysis,
    pictures,
    truth,
    methods: methods(study, tools),
    notes: notesOf(rows),
  });
  await writeInto(at(GROUP_FILES.report), html);
  return {
    report: at(GROUP_FILES.report),
    roiTable: at(GROUP_FILES.rois),
    ...(analysis ? { statistics: at(GROUP_FILES.statistics) } : {}),
  };
}

function cohortRow({ subject, group, status, why, failure }: FinalRow): CohortRow {
  const known = status === 'done' || status === 'excluded' ? status : 'failed';
  const place = [failure?.session, failure?.step].filter(Boolean).join(' ');
  return {
    subject,
    group: group ?? '',
    status: known,
    why: why ?? (failure && `${failure.code}${place ? ` in ${place}` : ''}: ${failure.message}`),
    remedy: failure?.remedy,
  };
}

/** The same note of many subjects is told once. */
function notesOf(rows: readonly FinalRow[]): string[] {
  const subjects = new Map<string, string[]>();
  for (const { subject, summary } of rows)
    for (const note of summary?.notes ?? []) subjects.set(note, [...(subjects.get(note) ?? []), subject]);
  return [...subjects].map(([note, of]) =>
    of.length > 3 ? `${of.length} subjects: ${note}` : `${of.join(', ')}: ${note}`,
  );
}
