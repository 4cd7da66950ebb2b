/** Checks of a study file against the disk: do the files and folders it names exist, do sessions and subjects. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type Finding, type Keys, pathText, suggestion, suggestOrList, valueAt } from './problems.ts';
import { FROM_FSL } from './schema.ts';

/** Names in a folder, sorted; none where it cannot be read. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}

/** The finding, if any, about one path: it must be a file (or a folder). */
async function pathFinding(keys: Keys, path: string, kind: 'file' | 'folder'): Promise<Finding | undefined> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    if (isFolder === (kind === 'folder')) return undefined;
    const what = isFolder ? 'a folder, not a file' : 'a file, not a folder';
    return { keys, message: `${pathText(keys)}: ${path} is ${what}`, remedy: `Name a ${kind}` };
  } catch {
    const remedy =
      suggestion(basename(path), await namesIn(dirname(path))) ??
      'Check the path; relative paths start at the folder of the study file';
    return { keys, message: `${pathText(keys)}: there is no ${kind} ${path}`, remedy };
  }
}

/**
 * Findings on every path, session label and excluded subject of the file's raw content, so that they are told together
 * with problems of its form. Values of a wrong type are passed over: the schema has told those.
 */
export async function pathFindings(data: unknown, folder: string): Promise<Finding[]> {
  const word = (...keys: Keys): string | undefined => {
    const value = valueAt(data, keys);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const findings: Finding[] = [];
  const check = async (kind: 'file' | 'folder', from: string, keys: Keys, fallback?: string) => {
    const value = word(...keys) ?? fallback;
    // What FSL has is looked for where FSL is.
    if (value === undefined || value.startsWith(FROM_FSL)) return;
    const finding = await pathFinding(keys, resolve(from, value), kind);
    if (finding) findings.push(finding);
  };
  await check('folder', folder, ['bids']);
  await check('file', folder, ['template']);
  await check('file', folder, ['rois', 'image']);
  await check('file', folder, ['rois', 'labels']);
  const regions = valueAt(data, ['rois', 'regions']);
  if (typeof regions === 'object' && regions !== null)
    for (const name of Object.keys(regions)) await check('file', folder, ['rois', 'regions', name, 'image']);
  const kind = word('runtime', 'kind');
  if (kind === 'process') {
    await check('folder', folder, ['runtime', 'fslDir']);
    await check('folder', folder, ['runtime', 'toolkit']);
  }
  if (kind === 'apptainer') await check('file', folder, ['runtime', 'image']);
  const roots = valueAt(data, ['runtime', 'roots']);
  if (Array.isArray(roots))
    for (const i of roots.keys()) await check('folder', folder, ['runtime', 'roots', i]);

  const bids = word('bids') === undefined ? undefined : resolve(folder, word('bids')!);
  if (bids === undefined || findings.some(({ keys }) => keys[0] === 'bids')) return findings;
  if (typeof valueAt(data, ['participants']) === 'object' && valueAt(data, ['participants']) !== null)
    await check('file', bids, ['participants', 'file'], 'participants.tsv');

  const subjects = (await namesIn(bids)).filter((name) => name.startsWith('sub-'));
  if (subjects.length === 0) {
    findings.push({
      keys: ['bids'],
      message: `bids: ${bids} holds no folder sub-...`,
      remedy: 'Name the folder that holds the sub- folders',
    });
    return findings;
  }
  const exclude = valueAt(data, ['exclude']);
  if (typeof exclude === 'object' && exclude !== null)
    for (const subject of Object.keys(exclude))
      if (subject.startsWith('sub-') && !subjects.includes(subject))
        findings.push({
          keys: ['exclude', subject],
          atKey: true,
          message: `exclude: there is no ${subject} in ${bids}`,
          remedy: suggestion(subject, subjects) ?? 'Correct the name, or delete the line',
        });

  const wanted = (['baseline', 'followup', 'only'] as const).flatMap((role) => word('sessions', role) ?? []);
  if (wanted.length === 0) return findings;
  const labels = new Set<string>();
  for (const subject of subjects) {
    for (const name of await namesIn(resolve(bids, subject)))
      if (name.startsWith('ses-')) labels.add(name.slice(4));
    if (wanted.every((label) => labels.has(label))) return findings;
  }
  for (const role of ['baseline', 'followup', 'only'] as const) {
    const label = word('sessions', role);
    if (label === undefined || labels.has(label)) continue;
    const remedy = label.startsWith('ses-')
      ? `Write the label without ses-: ${label.slice(4)}`
      : labels.size === 0
        ? 'The dataset has no ses- level: write sessions: none'
        : suggestOrList(label, [...labels].sort(), 'Sessions found');
    findings.push({
      keys: ['sessions', role],
      message: `sessions.${role}: no subject has a session ${label}`,
      remedy,
    });
  }
  return findings;
}
