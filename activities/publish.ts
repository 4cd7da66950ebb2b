/** A finished subject's outputs: maps and tables as BIDS derivatives, pictures, and every step's record. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Study } from '../config/study.ts';
import type { Image } from '../imaging/image.ts';
import { encodeNifti, readImage } from '../imaging/nifti.ts';
import { type SubjectMaps, WHOLE } from '../pipeline/protocol.ts';
import type { FileRef } from '../pipeline/step.ts';
import { type StudyPlan, sessionName } from '../pipeline/study.ts';
import { copyInto, sidecarOf, tsv, writeInto, writeJsonInto } from './derivatives.ts';
import { drawSubject } from './draw.ts';
import { changeOutput, sessionOutputs } from './outputs.ts';
import { recordsBehind } from './provenance.ts';
import { type PublishedStep, readSummary, type SubjectSummary, stepsPath, summaryPath } from './published.ts';
import { publishQc } from './qc/publish.ts';
import { standings } from './qc/standing.ts';
import { roiValues } from './rois.ts';
import { SCALARSTATS_MEANING, subjectSidecars } from './sidecars.ts';
import { hashFile } from './store.ts';
import { pageOf, writeSubjectPages } from './subject-page.ts';
import { isThere } from './whole-file.ts';

export const SCALARSTATS_COLUMNS = [
  'node',
  'index',
  'scalar',
  'mean',
  'stdev',
  'median',
  'voxels',
  'voxels_with_data',
  'coverage',
  'flagged',
] as const;

/** What a subject's outputs were made from, and what was written. */
interface Publication {
  /** Of all that went into them: the same key, the same outputs. */
  readonly key: string;
  /** Below the output folder: path -> bytes. */
  readonly files: Readonly<Record<string, number>>;
}

const publicationPath = (study: Study, subject: string) =>
  join(study.output, 'logs', `${subject}_published.json`);

/** @param version of delta-md: another may write other files */
export async function publicationKey(study: Study, maps: SubjectMaps, version: string): Promise<string> {
  // Paths say where a result lies, not what it is.
  const content = JSON.stringify(maps, (key, value) => (key === 'path' ? undefined : value));
  const regions = { ...study.rois, template: study.template, content: await hashFile(study.rois.image) };
  return createHash('sha256')
    .update(JSON.stringify([version, content, regions]))
    .digest('hex');
}

/** True when the subject's outputs were written once; from what, and whether they are whole, is not looked at. */
export const hasPublished = (study: Study, subject: string): Promise<boolean> =>
  isThere(publicationPath(study, subject));

/** True when the outputs of this key are there, whole. */
export async function isPublished(study: Study, subject: string, key: string): Promise<boolean> {
  const text = await readFile(publicationPath(study, subject), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  const publication: Publication = JSON.parse(text);
  const there = await Promise.all(
    Object.entries(publication.files).map(async ([file, bytes]) => {
      const size = await stat(join(study.output, file)).catch(() => undefined);
      return size?.size === bytes;
    }),
  );
  // The page is written again at the end of a cohort, with the cohort in it: any size will do.
  return (
    publication.key === key && there.every(Boolean) && (await isThere(join(study.output, pageOf(subject))))
  );
}

/** Notes what was written for a subject; its last file. */
async function notePublication(study: Study, subject: string, key: string): Promise<void> {
  const written = (await readdir(join(study.output, subject), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name));
  const paths = [...written, stepsPath(study.output, subject), summaryPath(study, subject)];
  const files: [string, number][] = [];
  for (const path of paths) files.push([relative(study.output, path), (await stat(path)).size]);
  const publication: Publication = { key, files: Object.fromEntries(files) };
  await writeJsonInto(publicationPath(study, subject), publication);
}

/** Averages MD by region and writes a subject's outputs, unless they are there already, made from the same. */
export async function publishSubject(
  study: Study,
  plan: StudyPlan,
  subject: string,
  maps: SubjectMaps,
  version: string,
  beat: () => void,
): Promise<SubjectSummary> {
  const key = await publicationKey(study, maps, version);
  if (await isPublished(study, subject, key)) {
    const summary = await readSummary(study, subject);
    if (summary) return summary;
  }
  const about = await subjectSidecars(study, subject, maps);
  /** Copies an image and writes its sidecar beside it. */
  const copyImage = async (path: string, source: FileRef) => {
    await copyInto(path, source.path);
    await writeJsonInto(sidecarOf(path), about.get(path));
  };
  const flagged: string[] = [];
  const labels = await readImage(study.rois.image);
  const template = await readImage(plan.template.path);
  const inTemplate: Float32Array[] = [];
  for (const one of maps.sessions) {
    beat();
    const { session } = one;
    const at = sessionOutputs(study, subject, session);
    for (const name of ['fa', 'md', 's0', 'mdInTemplate', 'maskInTemplate', 'mask', 'dwi'] as const)
      await copyImage(at[name], one[name]);
    await copyInto(at.bval, one.bvals.path);
    await copyInto(at.bvec, one.bvecs.path);

    const md = await readImage(one.mdInTemplate.path);
    const mask = await readImage(one.maskInTemplate.path);
    inTemplate.push(md.data.map((value, i) => (mask.data[i] > 0 ? value : 0)));
    const values = roiValues(md.data, mask.data, labels.data, study.rois.labels);
    const rows = values.map((value) => ({
      node: value.roi,
      index: value.index,
      scalar: 'md',
      mean: value.mean,
      stdev: value.stdev,
      median: value.median,
      voxels: value.voxels,
      voxels_with_data: value.voxelsWithData,
      coverage: Number(value.coverage.toFixed(6)),
      flagged: value.coverage < study.rois.minimumCoverage,
    }));
    for (const row of rows)
      if (row.flagged) flagged.push(`${session === null ? '' : `ses-${session} `}${row.node}`);
    await writeInto(at.scalarstats, tsv(SCALARSTATS_COLUMNS, rows));
    await writeJsonInto(at.scalarstats.replace(/\.tsv$/, '.json'), SCALARSTATS_MEANING);
  }
  beat();
  const [baseline, followup] = maps.sessions;
  let change: Image | undefined;
  const atBaseline = sessionOutputs(study, subject, baseline.session);
  await copyImage(atBaseline.faInTemplate, maps.faInTemplate);
  await copyInto(atBaseline.warp, maps.warp.path);
  await copyInto(atBaseline.affine, maps.affine.path);
  if (followup && maps.followupToBaseline) {
    const { toBaseline } = sessionOutputs(study, subject, followup.session);
    await copyInto(toBaseline, maps.followupToBaseline.path);
    const [a, b] = inTemplate;
    // A change is known only where both sessions have data.
    const data = a.map((value, i) => (value > 0 && b[i] > 0 ? value - b[i] : 0));
    change = { grid: template.grid, volumes: 1, data };
    const path = changeOutput(study, subject);
    await writeInto(path, gzipSync(encodeNifti(change), { level: 1 }));
    await writeJsonInto(sidecarOf(path), about.get(path));
  }
  beat();
  const quality = await publishQc(study, subject, maps, { template, labels }, beat);
  await drawSubject(study, subject, maps, { template, labels, change }, beat);

  await writeJsonInto(stepsPath(study.output, subject), await stepsOf(maps));
  const inSession = ({ session, notes }: { session: string | null; notes: readonly string[] }) =>
    notes.map((note) => (session === null ? note : `ses-${session}: ${note}`));
  const notes = [
    ...maps.sessions.flatMap(inSession),
    ...quality.sessions.flatMap(inSession),
    ...(quality.longitudinal?.notes ?? []),
  ];
  const summary: SubjectSummary = { sessions: maps.sessions.length, flagged, notes };
  await writeJsonInto(summaryPath(study, subject), summary);
  await writeSubjectPages(study, await standings(study, [subject]), version, beat);
  await notePublication(study, subject, key);
  return summary;
}

/** Records of all steps behind a subject's results, each with its session, or `subject`. */
async function stepsOf(maps: SubjectMaps): Promise<PublishedStep[]> {
  const places = new Map<string, string>();
  for (const { session, fa } of maps.sessions)
    for (const { key } of await recordsBehind([fa])) places.set(key, sessionName(session));
  const records = await recordsBehind(resultsOf(maps));
  return records.map((record) => ({ ...record, place: places.get(record.key) ?? WHOLE }));
}

/** The results that a subject's numbers and pictures rest on. */
export function resultsOf(maps: SubjectMaps): FileRef[] {
  return [
    ...maps.sessions.flatMap((one) => [
      one.mdInTemplate,
      one.maskInTemplate,
      one.fa,
      ...(one.unwarped ? [one.unwarped] : []),
      ...(one.motion ? [one.motion] : []),
    ]),
    maps.faInTemplate,
  ];
}
