/**
 * Quality control as files, beside the maps of a session:
 *
 *   sub-01_ses-1_desc-image_qc.tsv           one row, QSIPrep's names; .json: the dictionary, and notes
 *   sub-01_ses-1_desc-confounds_timeseries.tsv   a row per volume; .json
 *   sub-01_ses-1_desc-slice_qc.json          bad slices, and each slice's signal against what is expected
 *   sub-01_ses-1_desc-eddy_qc.json           eddy_quad's names
 *   sub-01_desc-longitudinal_qc.tsv          between the sessions; .json
 */
import { readFile } from 'node:fs/promises';
import type { Study } from '../../config/study.ts';
import { isMissing, readTable } from '../../config/tables.ts';
import { readImage } from '../../imaging/nifti.ts';
import type { SubjectMaps } from '../../pipeline/protocol.ts';
import { CONFOUNDS, infoOf, LONGITUDINAL_METRICS, SESSION_METRICS } from '../../pipeline/qc/dictionary.ts';
import type { MetricInfo, Metrics, SubjectQc } from '../../pipeline/qc/types.ts';
import { derivativePath, tsv, writeInto, writeJsonInto } from '../derivatives.ts';
import { eddyQuad } from './eddy-quad.ts';
import { pairMetrics } from './pair.ts';
import { type MeasuredSession, measureSession } from './session.ts';
import { coverageMetrics, similarityMetrics, type TemplateSpace, warpMetrics } from './template.ts';

/** A file of quality control; `session` null: without session level; undefined: of the subject. */
export function qcPath(
  study: Study,
  subject: string,
  session: string | null | undefined,
  desc: 'image' | 'confounds' | 'slice' | 'eddy' | 'longitudinal',
  extension: '.tsv' | '.json',
): string {
  const suffix = desc === 'confounds' ? 'timeseries' : 'qc';
  return derivativePath(study.output, { subject, session, desc, suffix, extension });
}

/** A figure as the tables have it: six digits tell all that is known. */
function rounded(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(6));
}

/** Figures in the dictionary's order, then those that come per shell or phase encoding. */
export function ordered(
  metrics: Metrics,
  fixed: Readonly<Record<string, MetricInfo>>,
): Record<string, number | null> {
  const names = [...Object.keys(fixed), ...Object.keys(metrics).filter((name) => !(name in fixed))];
  return Object.fromEntries(names.map((name) => [name, rounded(metrics[name] ?? null)]));
}

/** Columns as BIDS describes them. */
export function described(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(
    names.map((name) => {
      const { description, units, worse } = infoOf(name) ?? { description: name, worse: 'none' as const };
      return [
        name,
        {
          Description: description,
          ...(units === undefined ? {} : { Units: units }),
          ...(worse === 'none' ? {} : { Worse: worse }),
        },
      ];
    }),
  );
}

async function writeMetrics(path: string, metrics: Metrics, notes: readonly string[]): Promise<void> {
  const names = Object.keys(metrics);
  await writeInto(path, tsv(names, [metrics]));
  await writeJsonInto(path.replace(/\.tsv$/, '.json'), { ...described(names), Notes: notes });
}

/** Slices as a carpet plot draws them: `volumes x slices`. */
function sliceFile({ slices }: MeasuredSession): object | undefined {
  if (!slices) return undefined;
  const places = (list: readonly { volume: number; slice: number }[] | null) =>
    list?.map(({ volume, slice }) => [volume, slice]) ?? null;
  return {
    Description:
      'Slices by [volume, slice], from 0. Outliers: by eddy, null where it kept no report. Dropped, Spiked: of the raw series. Deviation: log of a raw slice’s signal over what is expected, a row per volume; null where it cannot be told.',
    Outliers: places(slices.outliers),
    Dropped: places(slices.raw.dropped),
    Spiked: places(slices.raw.spiked),
    Deviation: slices.raw.deviation.map((row) =>
      row.map((value) => (value === null ? null : Number(value.toFixed(4)))),
    ),
  };
}

/**
 * Measures a subject's sessions and writes what was found.
 * @param template that the maps were registered to  @param labels regions on its grid
 */
export async function publishQc(
  study: Study,
  subject: string,
  maps: SubjectMaps,
  { template, labels }: Pick<TemplateSpace, 'template' | 'labels'>,
  beat: () => void,
): Promise<SubjectQc> {
  const space: TemplateSpace = {
    template,
    labels,
    regions: study.rois.labels.map(({ index }) => index),
  };
  const measured: MeasuredSession[] = [];
  const sessions: SubjectQc['sessions'][number][] = [];
  for (const [i, one] of maps.sessions.entries()) {
    const { session } = one;
    const found = await measureSession(one, beat);
    const notes = [...found.notes];
    // The template is met by the baseline; the follow-up goes there through it.
    const registration =
      i === 0
        ? {
            ...similarityMetrics(await readImage(maps.faInTemplate.path), space),
            ...(await warpMetrics(maps.warp.path, space.template, notes)),
          }
        : {};
    beat();
    const metrics = ordered(
      {
        ...found.metrics,
        ...coverageMetrics(await readImage(one.maskInTemplate.path), space),
        ...registration,
      },
      SESSION_METRICS,
    );
    measured.push(found);
    sessions.push({ subject, session, metrics, notes });
    const at = (desc: 'image' | 'confounds' | 'slice' | 'eddy', extension: '.tsv' | '.json') =>
      qcPath(study, subject, session, desc, extension);
    await writeMetrics(at('image', '.tsv'), metrics, notes);
    if (found.volumes) {
      const names = Object.keys(CONFOUNDS);
      await writeInto(at('confounds', '.tsv'), tsv(names, found.volumes));
      await writeJsonInto(at('confounds', '.json'), described(names));
    }
    const slices = sliceFile(found);
    if (slices) await writeJsonInto(at('slice', '.json'), slices);
    await writeJsonInto(at('eddy', '.json'), eddyQuad(found));
    beat();
  }
  const [first, second] = maps.sessions;
  if (!second || !maps.followupToBaseline) return { sessions };
  const { metrics, notes } = await pairMetrics(
    [first, second],
    [measured[0], measured[1]],
    maps.followupToBaseline,
  );
  const longitudinal = { subject, metrics: ordered(metrics, LONGITUDINAL_METRICS), notes };
  await writeMetrics(qcPath(study, subject, undefined, 'longitudinal', '.tsv'), longitudinal.metrics, notes);
  return { sessions, longitudinal };
}

async function readMetrics(path: string): Promise<{ metrics: Metrics; notes: string[] } | undefined> {
  const sidecar = await readFile(path.replace(/\.tsv$/, '.json'), 'utf8').catch(() => undefined);
  const { table } = await readTable(path);
  const [row] = table.rows;
  if (!row || sidecar === undefined) return undefined;
  return {
    metrics: Object.fromEntries(
      Object.entries(row.cells).map(([name, cell]) => [name, isMissing(cell) ? null : Number(cell)]),
    ),
    notes: JSON.parse(sidecar).Notes ?? [],
  };
}

/** What was written of a subject; sessions that have no file are left out. */
export async function readSubjectQc(study: Study, subject: string): Promise<SubjectQc> {
  const sessions: SubjectQc['sessions'][number][] = [];
  for (const { label } of study.sessions) {
    const found = await readMetrics(qcPath(study, subject, label, 'image', '.tsv'));
    if (found) sessions.push({ subject, session: label, ...found });
  }
  const pair =
    study.sessions.length > 1
      ? await readMetrics(qcPath(study, subject, undefined, 'longitudinal', '.tsv'))
      : undefined;
  return { sessions, ...(pair ? { longitudinal: { subject, ...pair } } : {}) };
}
