/** Names of a subject's derivatives, in one place: who writes them, describes them, traces and exports them asks here. */
import { relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Study } from '../config/study.ts';
import { derivativePath, type Entities, labelOf } from './derivatives.ts';

/** Paths of what one session gives; `session` without `ses-`, null where there is no session level. */
export function sessionOutputs(study: Study, subject: string, session: string | null) {
  const at = (entities: Omit<Entities, 'subject' | 'session'>) =>
    derivativePath(study.output, { subject, session, ...entities });
  const space = labelOf(study.template);
  const map = (param: string, inSpace?: string) =>
    at({ space: inSpace, model: 'tensor', param, suffix: 'dwimap', extension: '.nii.gz' });
  const mask = (inSpace?: string) =>
    at({ space: inSpace, desc: 'brain', suffix: 'mask', extension: '.nii.gz' });
  const series = (extension: string) => at({ desc: 'preproc', suffix: 'dwi', extension });
  const transform = (to: string, extension: string) =>
    at({ from: 'dwi', to, mode: 'image', suffix: 'xfm', extension });
  return {
    fa: map('fa'),
    md: map('md'),
    s0: map('s0'),
    mask: mask(),
    dwi: series('.nii.gz'),
    bval: series('.bval'),
    bvec: series('.bvec'),
    /** Of the baseline only. */
    faInTemplate: map('fa', space),
    mdInTemplate: map('md', space),
    maskInTemplate: mask(space),
    /** Of the baseline only: onto the template, all of it and its affine part. */
    warp: transform(space, '.nii.gz'),
    affine: transform(space, '.mat'),
    /** Of the follow-up only: onto the baseline. */
    toBaseline: transform('baseline', '.mat'),
    scalarstats: at({
      space,
      segmentation: labelOf(study.rois.image),
      suffix: 'scalarstats',
      extension: '.tsv',
    }),
  };
}

/** Path of a subject's map of change. */
export function changeOutput(study: Study, subject: string): string {
  return derivativePath(study.output, {
    subject,
    space: labelOf(study.template),
    model: 'tensor',
    param: 'md',
    desc: 'delta',
    suffix: 'dwimap',
    extension: '.nii.gz',
  });
}

/** Path of `path` below `folder`, with slashes; undefined where it lies elsewhere. */
function below(folder: string, path: string): string | undefined {
  const inside = relative(folder, path);
  return inside === '' || inside.startsWith('..') ? undefined : inside.split(sep).join('/');
}

/** Name under which `DatasetLinks` knows the raw dataset. */
export const RAW = 'raw';

/**
 * A file as sidecars name it: a BIDS URI within the outputs (`bids::sub-01/...`) or the raw dataset
 * (`bids:raw:sub-01/...`), a file URL elsewhere. BIDS specification, common principles, BIDS URI.
 */
export function bidsUri(study: Study, path: string): string {
  const derived = below(study.output, path);
  if (derived !== undefined) return `bids::${derived}`;
  const raw = below(study.bids, path);
  return raw === undefined ? pathToFileURL(path).href : `bids:${RAW}:${raw}`;
}

/** True for a file of a subject of the raw dataset. */
export function isScan(study: Study, path: string): boolean {
  return below(study.bids, path)?.startsWith('sub-') === true;
}
