/**
 * The end of a cohort: regional MD of every finished subject gathered from the outputs, the change between sessions,
 * the trial's statistics, and the report. Everything is read from files, so `delta-md report` can do it again.
 */
import { basename, join } from 'node:path';
import { readParticipants } from '../config/participants.ts';
import type { Study } from '../config/study.ts';
import { isMissing, readTable } from '../config/tables.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { SubjectRow as CohortTableRow } from '../pipeline/roster.ts';
import { sessionName } from '../pipeline/study.ts';
import { analysePlan } from '../statistics/analyse.ts';
import type { AnalysisPlan, CohortAnalysis, SubjectRow } from '../statistics/plan.ts';
import { analysisPlan, mdOf, valuesOf } from './analysis.ts';
import { describeDataset, toolsUsed } from './dataset-description.ts';
import { writeInto, writeJsonInto } from './derivatives.ts';
import { statisticsTables } from './group-tables/index.ts';
import { regionalChange, regionalMd } from './group-tables/regional.ts';
import { writeTables } from './group-tables/table.ts';
import { sessionOutputs } from './outputs.ts';
import { picturesOf, readSummary, type SubjectSummary } from './published.ts';
import { GROUP_QC, groupQc } from './qc/group.ts';
import { standings } from './qc/standing.ts';
import { bibliography, renderGroupReport } from './report/html.ts';
import type { CohortRow, GroupReport, RoiRow, TruthRow } from './report/types.ts';
import { writeSubjectPages } from './subject-page.ts';
import { recoveredTruth } from './truth.ts';
import { isThere } from './whole-file.ts';

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
  references: 'report.bib',
  rois: 'group_roi_md.tsv',
  change: 'group_dmd.tsv',
  statistics: 'group_statistics.json',
  truth: 'group_truth.json',
  cohort: 'logs/cohort.json',
} as const;

/** With more subjects than this their pictures are on their own pages only: the report stays small. */
const PICTURED = 12;

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

/** Regions below the coverage a study asks for are left out of the statistics, not averaged from scraps. */
function usable(row: MdRow | undefined): number | null {
  return row === undefined || row.flagged ? null : row.md;
}

/** @param excluded by subject: why quality control leaves it out */
async function analysisTable(
  study: Study,
  md: readonly MdRow[],
  excluded: ReadonlyMap<string, string>,
): Promise<SubjectRow[]> {
  const [baseline, followup] = study.sessions;
  const participants = new Map((await readParticipants(study)).map((p) => [p.subject, p]));
  const rois = study.rois.labels.map(({ name }) => name);
  return [...new Set(md.map((row) => row.subject))].map((subject): SubjectRow => {
    const of = (label: string | null, roi: string) =>
      usable(md.find((row) => row.subject === subject && row.label === label && row.roi === roi));
    const { group = '', values = {} } = participants.get(subject) ?? {};
    return {
      subject,
      group,
      ...(excluded.has(subject) ? { excluded: excluded.get(subject) } : {}),
      ...mdOf(
        rois,
        (roi) => of(baseline.label, roi),
        (roi) => (followup ? of(followup.label, roi) : null),
      ),
      ...(study.statistics ? valuesOf(study.statistics, values) : { scores: {}, covariates: {} }),
    };
  });
}

function analyse(study: Study, table: readonly SubjectRow[]): CohortAnalysis | undefined {
  const { statistics, participants } = study;
  if (!statistics || !participants || study.sessions.length < 2) return undefined;
  const rois = study.rois.labels.map(({ name }) => name);
  return analysePlan(analysisPlan(statistics, participants.group, rois), table);
}

/** The primary tests as if nobody had been excluded from them; undefined where nobody was. */
function keepingExcluded(plan: AnalysisPlan, table: readonly SubjectRow[]): CohortAnalysis | undefined {
  if (table.every((row) => row.excluded === undefined)) return undefined;
  return analysePlan(
    { ...plan, checks: undefined, sensitivity: undefined },
    table.map(({ excluded: _, ...row }) => row),
  );
}

/** The subjects' own pages, where they were made. */
async function pagesOf(study: Study, subjects: readonly string[]): Promise<Record<string, string>> {
  const pages: Record<string, string> = {};
  for (const subject of subjects)
    if (await isThere(join(study.output, `${subject}.html`))) pages[subject] = `${subject}.html`;
  return pages;
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
    if (done.length > PICTURED) continue;
    for (const { caption, png } of await picturesOf(study, subject))
      pictures.push({ subject, caption, pngBase64: png.toString('base64') });
  }
  const quality = await standings(study, done);
  const figures = groupQc(
    study,
    quality.map(({ qc }) => qc),
  );
  await writeInto(at(GROUP_QC.table), figures.table);
  await writeJsonInto(at(GROUP_QC.dictionary), figures.dictionary);
  const excluded = new Map(
    quality.flatMap(({ subject, excluded }) => (excluded ? [[subject, excluded]] : [])),
  );
  await writeSubjectPages(study, quality, version, beat);
  const subjects = await analysisTable(study, md, excluded);

  const rois = study.rois.labels.map(({ name }) => name);
  const analysis = analyse(study, subjects);
  const tables = {
    [GROUP_FILES.rois.replace('.tsv', '')]: regionalMd(md),
    ...(study.sessions.length > 1
      ? { [GROUP_FILES.change.replace('.tsv', '')]: regionalChange(subjects, rois) }
      : {}),
    ...(analysis ? statisticsTables(analysis) : {}),
  };
  await writeTables(study.output, tables);
  if (analysis) await writeJsonInto(at(GROUP_FILES.statistics), analysis);
  const truth: TruthRow[] | undefined = await recoveredTruth(study, subjects);
  if (truth) await writeJsonInto(at(GROUP_FILES.truth), truth);

  beat();
  const tools = used.map(({ programs, version }) => ({ name: programs.join(', '), version }));
  const report: GroupReport = {
    title: study.title ?? study.study,
    run: { profile: study.profile.name, version, template: basename(study.template), tools },
    cohort: rows.map((row) => cohortRow({ ...row, why: row.why ?? excluded.get(row.subject) })),
    rois: md,
    table: subjects,
    analysis,
    keepingExcluded: analysis && keepingExcluded(analysis.plan, subjects),
    pages: await pagesOf(study, done),
    files: [
      ...Object.entries(tables).map(([name, { columns }]) => ({ name: `${name}.tsv`, columns })),
      ...(analysis ? [{ name: GROUP_FILES.statistics }] : []),
      ...(truth ? [{ name: GROUP_FILES.truth }] : []),
      { name: GROUP_QC.table },
      { name: GROUP_FILES.cohort },
      { name: GROUP_FILES.references },
    ],
    pictures,
    truth,
    methods: methods(study, tools),
    notes: notesOf(rows),
  };
  await writeInto(at(GROUP_FILES.references), bibliography(report));
  await writeInto(at(GROUP_FILES.report), await renderGroupReport(report));
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
