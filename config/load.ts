/** Reads and checks a study file: everything that is wrong is told at once, each with its line. */
import { dirname, resolve } from 'node:path';
import { joinParticipants } from './participants.ts';
import { pathFindings } from './paths.ts';
import { type Finding, findingsOf, type Problem } from './problems.ts';
import { PROFILES } from './profiles.ts';
import { qcFindings } from './qc.ts';
import { type Runtime, type StudyFile, studyJsonSchema, studySchema } from './schema.ts';
import { settingsFindings } from './statistics-settings.ts';
import type { RoiLabel, Study, StudySession } from './study.ts';
import { readTable } from './tables.ts';
import { readYaml } from './yaml-file.ts';

export type LoadedStudy = { ok: true; study: Study } | { ok: false; problems: Problem[] };

/** Settings whose values are words even where they look like numbers: `baseline: 01` means the label 01, not 1. */
const WORDS = new Set(['study', 'title', 'sessions', 'select', 'participants', 'exclude']);

/**
 * Loads the study file at `path`. Relative paths in it start at its folder (participants.file: at bids).
 * Never throws for what a user can mend: a file that cannot be read is a problem like any other.
 */
export async function loadStudy(path: string): Promise<LoadedStudy> {
  const file = resolve(path);
  const read = await readYaml(file, WORDS, 'delta-md init writes a new study file');
  if (!read.ok) return read;
  const { data, place } = read;
  const schema = studyJsonSchema();
  const parsed = studySchema.safeParse(data);
  const findings: Finding[] = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => findingsOf(issue, data, schema)),
    ...(parsed.data?.statistics ? settingsFindings(parsed.data.statistics) : []),
    ...(await pathFindings(data, dirname(file))),
    ...(parsed.success ? qcFindings(parsed.data.qc) : []),
  ];
  const problems: Problem[] = [];
  let study: Study | undefined;
  // Tables are looked into only where the file's own settings for them can be trusted.
  if (parsed.success && findings.length === 0) {
    const labels = await readLabels(parsed.data, dirname(file));
    problems.push(...labels.problems);
    study = resolveStudy(parsed.data, file, labels.labels);
    if (study.participants) {
      const { table, problems: unreadable } = await readTable(study.participants.file);
      problems.push(...unreadable);
      if (unreadable.length === 0) {
        const joined = joinParticipants({ ...study, participants: study.participants }, table);
        findings.push(...joined.findings);
        problems.push(...joined.problems);
      }
    }
  }
  problems.unshift(...findings.map(place));
  problems.sort((a, b) => Number(b.file === file) - Number(a.file === file) || a.line - b.line);
  return problems.length === 0 && study ? { ok: true, study } : { ok: false, problems };
}

function sessionsOf(sessions: StudyFile['sessions']): StudySession[] {
  if (sessions === 'none') return [{ role: 'only', label: null }];
  return (['baseline', 'followup', 'only'] as const).flatMap((role) => {
    const label = sessions[role];
    return label === undefined ? [] : [{ role, label }];
  });
}

/** The runtime with its paths absolute; containers may see the study's own folders and those named under roots. */
function resolveRuntime(file: StudyFile, at: (relative: string) => string): Runtime {
  const { runtime } = file;
  if (runtime.kind === 'process')
    return {
      ...runtime,
      ...(runtime.fslDir === undefined ? {} : { fslDir: at(runtime.fslDir) }),
      ...(runtime.toolkit === undefined ? {} : { toolkit: at(runtime.toolkit) }),
    };
  const roots = [at(file.bids), at(file.work), at(file.template), ...(runtime.roots ?? []).map(at)];
  if (runtime.kind === 'apptainer') return { ...runtime, image: at(runtime.image), roots };
  return { ...runtime, ...(runtime.socket === undefined ? {} : { socket: at(runtime.socket) }), roots };
}

function resolveStudy(file: StudyFile, path: string, labels: RoiLabel[]): Study {
  const at = (relative: string) => resolve(dirname(path), relative);
  const bids = at(file.bids);
  return {
    ...file,
    file: path,
    bids,
    output: file.output === undefined ? resolve(bids, 'derivatives', 'delta-md') : at(file.output),
    work: at(file.work),
    sessions: sessionsOf(file.sessions),
    select: Object.fromEntries(
      Object.entries(file.select).map(([entity, value]) => [entity, [value].flat()]),
    ),
    participants: file.participants && {
      ...file.participants,
      file: resolve(bids, file.participants.file),
    },
    profile: PROFILES[file.profile],
    template: at(file.template),
    rois: { ...file.rois, image: at(file.rois.image), labels },
    runtime: resolveRuntime(file, at),
  };
}

/** Names of the regions, from the study file or from a TSV with the columns index and name. */
async function readLabels(
  file: StudyFile,
  folder: string,
): Promise<{ labels: RoiLabel[]; problems: Problem[] }> {
  const given = file.rois.labels;
  if (typeof given !== 'string') {
    const labels = Object.entries(given).map(([index, name]) => ({ index: Number(index), name }));
    return { labels: labels.sort((a, b) => a.index - b.index), problems: [] };
  }
  const { table, problems } = await readTable(resolve(folder, given));
  const problem = (line: number, message: string, remedy: string) =>
    problems.push({
      file: table.file,
      line,
      column: 1,
      path: '',
      message: `${table.file}, line ${line}: ${message}`,
      remedy,
    });
  if (problems.length === 0 && !(table.columns.includes('index') && table.columns.includes('name')))
    problem(1, 'the columns index and name are needed', `It has: ${table.columns.join(', ')}`);
  const labels: RoiLabel[] = [];
  if (problems.length === 0)
    for (const { line, cells } of table.rows) {
      const index = Number(cells['index']);
      if (!Number.isInteger(index) || index < 0)
        problem(line, `"${cells['index']}" is not a number of a region`, 'Write a whole number above 0');
      else if (labels.some((l) => l.index === index || l.name === cells['name']))
        problem(
          line,
          `${index} or "${cells['name']}" is there twice`,
          'Give each region its own number and name',
        );
      // Label tables often name the background; it is no region.
      else if (index > 0) labels.push({ index, name: cells['name'] });
    }
  if (problems.length === 0 && labels.length === 0) problem(1, 'it names no region', 'Add a line per region');
  return { labels: labels.sort((a, b) => a.index - b.index), problems };
}
