/** A finished cohort for other programs: stacks for FSL and SPM, tables for R and SPSS, provenance for archives. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { subjectName } from '../../config/participants.ts';
import type { Study } from '../../config/study.ts';
import { isMissing, readTable, type Table } from '../../config/tables.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { toolsUsed } from '../dataset-description.ts';
import { GROUP_FILES } from '../finish.ts';
import { readSteps } from '../published.ts';
import type { RoiRow } from '../report/types.ts';
import { hashFile, type StepRecord } from '../store.ts';
import { CRATE_FILE, type Derivation, PROV_FILE, provenance, roCrate } from './crate.ts';
import { groupDesign } from './design.ts';
import { placeFolder } from './folder.ts';
import { exportMaps } from './maps.ts';
import { readme } from './readme.ts';
import {
  changeTable,
  codebookText,
  longTable,
  type Person,
  type RegionalChange,
  rReader,
  spssReader,
  tableText,
  wideTable,
} from './tables.ts';
import type { Exported, ExportedFile } from './types.ts';

export interface ExportOptions {
  /** Absolute. */
  readonly to: string;
  readonly parts: Readonly<Record<'maps' | 'tables' | 'crate', boolean>>;
  /** Columns of the participants table that enter the design. */
  readonly covariates: readonly string[];
  /** Also uncompressed 3-D files. */
  readonly spm: boolean;
  readonly force: boolean;
}

/** What was exported; also the file that marks a folder as an export. */
export interface ExportResult {
  readonly study: string;
  readonly version: string;
  readonly time: string;
  readonly subjects: readonly string[];
  readonly files: readonly Pick<ExportedFile, 'path' | 'description' | 'sha256' | 'bytes'>[];
}

const MARKER = 'export.json';

/**
 * Exports the published results of `subjects`.
 * @param version of delta-md  @param say told what is being made
 * @throws DeltaMdError where the folder is taken, results are missing, or a covariate cannot be used
 */
export async function exportStudy(
  study: Study,
  subjects: readonly string[],
  options: ExportOptions,
  version: string,
  say: (what: string) => void = () => {},
): Promise<ExportResult> {
  const people = await readPeople(study, subjects);
  const time = new Date().toISOString();
  let result: ExportResult | undefined;
  await placeFolder(options.to, MARKER, options.force, async (folder) => {
    const written: Exported[] = [];
    const into = async (name: string, make: (folder: string) => Promise<Exported[]>) => {
      say(name);
      await mkdir(join(folder, name), { recursive: true });
      const made = await make(join(folder, name));
      written.push(...made.map((file) => ({ ...file, path: `${name}/${file.path}` })));
    };
    if (options.parts.maps) {
      const design = designOf(study, people, options.covariates);
      await into('maps', (at) => exportMaps(study, subjects, design, at, options.spm));
    }
    if (options.parts.tables) await into('tables', (at) => exportTables(study, people, at));
    await writeFile(join(folder, 'README.md'), readme(study, subjects.length, options));
    written.push({ path: 'README.md', description: 'What is here and how to use it', sources: [] });
    const files: ExportedFile[] = [];
    const digest = async (file: Exported) => {
      const path = join(folder, file.path);
      files.push({ ...file, sha256: await hashFile(path), bytes: (await stat(path)).size });
    };
    for (const file of written) await digest(file);
    if (options.parts.crate) {
      say('provenance');
      await writeJson(join(folder, PROV_FILE), await provenanceOf(study, subjects, files));
      await digest({
        path: PROV_FILE,
        description: 'Every step from the scans to here (PROV-O)',
        sources: [],
      });
      await writeJson(join(folder, CRATE_FILE), await crateOf(study, subjects, files, version, time));
    }
    result = {
      study: study.study,
      version,
      time,
      subjects,
      files: files.map(({ path, description, sha256, bytes }) => ({ path, description, sha256, bytes })),
    };
    await writeJson(join(folder, MARKER), result);
  });
  return result!;
}

const writeJson = (path: string, value: unknown) => writeFile(path, `${JSON.stringify(value, null, 1)}\n`);

/** Rows of the participants table for these subjects; every column but subject and group is among the others. */
async function readPeople(study: Study, subjects: readonly string[]): Promise<Person[]> {
  const { participants } = study;
  if (!participants) return subjects.map((subject) => ({ subject, group: null, others: {} }));
  const table = await need(participants.file);
  const rows = new Map(table.rows.map(({ cells }) => [subjectName(cells[participants.id]), cells]));
  const others = table.columns.filter(
    (name) => name !== participants.id && name !== participants.group.column,
  );
  const cell = (subject: string, name: string) => {
    const value = rows.get(subject)?.[name];
    return value === undefined || isMissing(value) ? null : value;
  };
  return subjects.map((subject) => ({
    subject,
    group: cell(subject, participants.group.column),
    others: Object.fromEntries(others.map((name) => [name, cell(subject, name)])),
  }));
}

/** A table that must be there. */
async function need(file: string): Promise<Table> {
  const { table, problems } = await readTable(file);
  if (problems.length > 0)
    throw new DeltaMdError('INPUT_MISSING', problems[0].message, {
      remedy: 'Make the tables of the group again: delta-md report',
    });
  return table;
}

function designOf(study: Study, people: readonly Person[], covariates: readonly string[]) {
  const names = Object.keys(people[0].others);
  const unknown = covariates.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new DeltaMdError('CONFIG_INVALID', `the participants table has no column ${unknown.join(', ')}`, {
      remedy: `Its columns: ${names.join(', ')}`,
    });
  const without = people.filter(({ group }) => group === null).map(({ subject }) => subject);
  if (study.participants && without.length > 0)
    throw new DeltaMdError('INPUT_INCOMPLETE', `no group for ${without.join(', ')}`, {
      remedy: 'Complete the participants table, or list them under exclude in the study file',
    });
  return groupDesign(
    people.map(({ subject }) => subject),
    study.participants && { ...study.participants.group, of: people.map(({ group }) => String(group)) },
    covariates.map((name) => ({ name, values: people.map(({ others }) => others[name]) })),
  );
}

async function exportTables(study: Study, people: readonly Person[], folder: string): Promise<Exported[]> {
  const groupOf = (subject: string) => people.find((person) => person.subject === subject)?.group ?? null;
  const isIn = new Set(people.map(({ subject }) => subject));
  const number = (cell: string) => (isMissing(cell) ? null : Number(cell));
  const rowsOf = async (file: string) => {
    const path = join(study.output, file);
    const cells = (await need(path)).rows.map((row) => row.cells);
    return { path, cells: cells.filter((row) => isIn.has(row['participant_id'])) };
  };
  const rois = await rowsOf(GROUP_FILES.rois);
  const md = rois.cells.map(
    (row): RoiRow => ({
      subject: row['participant_id'],
      session: row['session'],
      roi: row['roi'],
      md: number(row['md']),
      voxels: Number(row['voxels']),
      coverage: Number(row['coverage']),
      flagged: row['flagged'] === 'true',
    }),
  );
  const change = study.sessions.length > 1 ? await rowsOf(GROUP_FILES.change) : undefined;
  const changes = (change?.cells ?? []).map(
    (row): RegionalChange => ({
      subject: row['participant_id'],
      roi: row['roi'],
      baseline: number(row['md_baseline']),
      followup: number(row['md_followup']),
      change: number(row['dmd']),
    }),
  );
  const tables = [
    longTable(md, groupOf),
    ...(change ? [changeTable(changes, groupOf)] : []),
    wideTable(people, md, changes),
  ];
  const group = study.participants?.group;
  const sources = [rois.path, ...(change ? [change.path] : [])];
  const about: Record<string, string> = {
    roi_md_long: 'MD, a row per subject, session and region',
    roi_dmd_long: 'Change, a row per subject and region',
    roi_wide: 'A row per subject: participants table, MD and change by region',
  };
  const texts: (Exported & { text: string })[] = [
    ...tables.map((table) => ({
      path: `${table.name}.csv`,
      description: about[table.name],
      sources,
      text: tableText(table),
    })),
    {
      path: 'codebook.csv',
      description: 'What every column is',
      sources: [],
      text: codebookText(tables),
    },
    {
      path: 'read.R',
      description: 'Reads the tables into R',
      sources: [],
      text: rReader(tables, group ? [group.reference, group.treatment] : []),
    },
    { path: 'read.sps', description: 'Reads the tables into SPSS', sources: [], text: spssReader(tables) },
  ];
  for (const { path, text } of texts) await writeFile(join(folder, path), text);
  return texts.map(({ path, description, sources }) => ({ path, description, sources }));
}

async function provenanceOf(
  study: Study,
  subjects: readonly string[],
  files: readonly ExportedFile[],
): Promise<object> {
  const records: StepRecord[] = [];
  for (const subject of subjects) records.push(...((await readSteps(study.output, subject)) ?? []));
  const hashes = new Map<string, string>();
  const hash = async (path: string) => {
    const known = hashes.get(path) ?? (await hashFile(path));
    hashes.set(path, known);
    return known;
  };
  const derivations: Derivation[] = [];
  for (const { path, sha256, sources } of files) {
    const from: string[] = [];
    for (const source of sources) from.push(await hash(source));
    derivations.push({ name: path, sha256, from });
  }
  return provenance(records, derivations);
}

async function crateOf(
  study: Study,
  subjects: readonly string[],
  files: readonly ExportedFile[],
  version: string,
  time: string,
): Promise<object> {
  const text = await readFile(join(study.bids, 'dataset_description.json'), 'utf8').catch(() => '{}');
  const { Name, License } = JSON.parse(text) as { Name?: string; License?: string };
  return roCrate(
    {
      title: `${study.title ?? study.study}: results for other programs`,
      description: `Mean diffusivity and its change in ${subjects.length} subjects, made with delta-md ${version}, profile ${study.profile.name}.`,
      version,
      user: userInfo().username,
      time,
      license: License ?? 'As the dataset it is based on; none is stated there.',
      dataset: { name: Name ?? study.study, url: pathToFileURL(study.bids).href },
      tools: await toolsUsed(study.output, subjects),
    },
    files,
  );
}
