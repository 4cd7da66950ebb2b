/** A small study on disk, stand-in tools, and the command line as a process of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gridFromAffine, type Image } from '../../imaging/image.ts';
import { writeImage } from '../../imaging/nifti.ts';

/** Tests, and programs made of them, run in the repository's root. */
const CLI = resolve('dist/cli/main.js');
const FAKE = resolve('test/fixtures/fake-fsl');
const TOOLS = 'fslroi fslmerge topup mcflirt fslmaths bet eddy dtifit flirt fsl_reg applywarp'.split(' ');

const GRID = gridFromAffine([6, 6, 6], Float64Array.of(-3, 0, 0, 9, 0, 3, 0, -9, 0, 0, 3, -9, 0, 0, 0, 1));
const VOXELS = 216;
const BVALS = [0, 0, 1000, 1000, 1000, 1000, 1000, 1000];
const D = Math.SQRT1_2;
const BVECS = [
  [0, 0, 1, 0, 0, D, D, 0],
  [0, 0, 0, 1, 0, D, 0, D],
  [0, 0, 0, 0, 1, 0, D, D],
];

export interface Study {
  readonly root: string;
  readonly file: string;
  readonly bids: string;
  readonly output: string;
  readonly work: string;
  /** Folder of the stand-in tools; its control.json steers them. */
  readonly tools: string;
}

function series(seed: number, first = 100): Image {
  const data = new Float32Array(VOXELS * BVALS.length);
  for (let i = 0; i < data.length; i++) data[i] = 100 + ((i * 7 + seed * 13) % 9973) / 200;
  data[0] = first;
  return { grid: GRID, volumes: BVALS.length, data };
}

/** Path of one set of the study without extension. */
export function setPath(study: Study, subject: string, session: string, dir: string): string {
  return join(study.bids, subject, `ses-${session}`, 'dwi', `${subject}_ses-${session}_dir-${dir}_dwi`);
}

/** Writes one set: image, gradient table, sidecar. `first` is the first voxel's value. */
export async function writeSet(
  study: Study,
  subject: string,
  session: string,
  dir: string,
  first?: number,
): Promise<void> {
  const path = setPath(study, subject, session, dir);
  const seed = [...path.slice(study.root.length)].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 9973, 7);
  await mkdir(dirname(path), { recursive: true });
  await writeImage(`${path}.nii.gz`, series(seed, first));
  await writeFile(`${path}.bval`, `${BVALS.join(' ')}\n`);
  await writeFile(`${path}.bvec`, `${BVECS.map((row) => row.join(' ')).join('\n')}\n`);
  await writeFile(
    `${path}.json`,
    JSON.stringify({ PhaseEncodingDirection: dir === 'AP' ? 'j-' : 'j', TotalReadoutTime: 0.05 }),
  );
}

/** A study of `subjects` subjects in two groups; its path has spaces and letters beyond ASCII. */
export async function makeStudy(subjects: number, extra = ''): Promise<Study> {
  const root = join(await mkdtemp(join(tmpdir(), 'delta-md-')), 'Studie für Ärzte');
  const study: Study = {
    root,
    file: join(root, 'study.yaml'),
    bids: join(root, 'bids'),
    output: join(root, 'bids', 'derivatives', 'delta-md'),
    work: join(root, 'work'),
    tools: join(root, 'tools'),
  };
  await mkdir(join(study.tools, 'bin'), { recursive: true });
  // The stand-in reads images with the product's own reader, by a path that must hold after the copy.
  const source = await readFile(join(FAKE, 'toolkit.mjs'), 'utf8');
  const nifti = resolve('dist/imaging/nifti.js');
  await writeFile(join(study.tools, 'toolkit.mjs'), source.replace('../../../dist/imaging/nifti.js', nifti), {
    mode: 0o755,
  });
  for (const tool of TOOLS) await symlink('../toolkit.mjs', join(study.tools, 'bin', tool));
  const names = Array.from({ length: subjects }, (_, i) => `sub-${String(i + 1).padStart(2, '0')}`);
  for (const subject of names)
    for (const session of ['pre', 'post'])
      for (const dir of ['AP', 'PA']) await writeSet(study, subject, session, dir);
  const rows = names.map((name, i) =>
    [name, i % 2 ? 'ketamine' : 'vehicle', 30 + (i % 5), 20 + ((i * 7) % 9)].join('\t'),
  );
  await writeFile(
    join(study.bids, 'participants.tsv'),
    `${['participant_id\tgroup\tmadrs_pre\tmadrs_post', ...rows].join('\n')}\n`,
  );
  await writeFile(join(study.bids, 'dataset_description.json'), '{"Name":"t","BIDSVersion":"1.10.0"}');
  await writeImage(join(root, 'template.nii.gz'), {
    grid: GRID,
    volumes: 1,
    data: new Float32Array(VOXELS).fill(0.5),
  });
  const labels = new Float32Array(VOXELS).map((_, i) => (i < 60 ? 1 : i < 120 ? 2 : 0));
  await writeImage(join(root, 'rois.nii.gz'), { grid: GRID, volumes: 1, data: labels }, { type: 'uint8' });
  await writeFile(
    study.file,
    `study: test
bids: ./bids
sessions: { baseline: pre, followup: post }
participants:
  group: { column: group, reference: vehicle, treatment: ketamine }
template: ./template.nii.gz
rois: { image: ./rois.nii.gz, labels: { 1: left, 2: right } }
runtime: { kind: process, toolkit: ./tools }
statistics:
  outcomes: [ { name: MADRS, baseline: madrs_pre, followup: madrs_post } ]
${extra}`,
  );
  return study;
}

export async function removeStudy(study: Study): Promise<void> {
  await rm(dirname(study.root), { recursive: true, force: true });
}

/** Steers the stand-in tools: how long each takes. */
export async function delay(study: Study, delayMs: Record<string, number>): Promise<void> {
  const file = join(study.tools, 'control.json');
  // A tool may be reading it.
  await writeFile(`${file}.part`, JSON.stringify({ delayMs }));
  await rename(`${file}.part`, file);
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it printed so far. */
  readonly said: () => string;
}

export function start(...words: string[]): Running {
  return startUnder([], {}, ...words);
}

/** @param wrapper command that runs the command, such as `ip netns exec NAME`  @param env added to the environment */
export function startUnder(
  wrapper: readonly string[],
  env: Record<string, string>,
  ...words: string[]
): Running {
  const [program, ...argv] = [...wrapper, process.execPath, CLI, ...words];
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended, said: () => `${stdout}\n${stderr}` };
}

/** Runs a command to its end. */
export function deltaMd(...words: string[]): Promise<Ended> {
  return start(...words).ended;
}

interface JournalEntry {
  readonly event: string;
  readonly key: string;
  readonly step: string;
}

/** What was computed so far. */
export async function journal(study: Study): Promise<JournalEntry[]> {
  const text = await readFile(join(study.work, 'journal.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Keys that were computed more than once: always to be empty. */
export async function computedTwice(study: Study): Promise<string[]> {
  const seen = new Map<string, number>();
  for (const { event, key, step } of await journal(study))
    if (event === 'computed') seen.set(`${step} ${key}`, (seen.get(`${step} ${key}`) ?? 0) + 1);
  return [...seen].filter(([, times]) => times > 1).map(([name]) => name);
}

/** Tools of a study that run now: their command lines. */
export function toolsRunning(study: Study): string[] {
  const lines = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(join(study.tools, 'bin')));
}

/** Waits until the journal holds a computed step of this name; the command that is to compute it must live so long. */
export async function waitForStep(study: Study, step: string, command: Running): Promise<void> {
  const { child } = command;
  await waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`ended before ${step}: ${command.said()}`);
      return (await journal(study)).some((entry) => entry.step === step && entry.event === 'computed');
    },
    async () =>
      [
        `no ${step} yet; the command said: ${command.said()}`,
        `journal: ${(await journal(study)).map(({ event, step }) => `${event} ${step}`).join(', ')}`,
        `server: ${(await readFile(join(study.work, 'temporal', 'server.log'), 'utf8').catch(() => 'no log')).slice(-3000)}`,
      ].join('\n'),
  );
}

/** True when a command is here and succeeds: whether a test can be made on this machine. */
export function works(program: string, ...argv: string[]): boolean {
  try {
    execFileSync(program, argv, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Waits for a condition; `why` says what was seen where it never came true. */
export async function waitFor(
  holds: () => Promise<boolean>,
  why: () => Promise<string> = async () => 'waited in vain',
  seconds = 60,
): Promise<void> {
  const until = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(await why());
    await new Promise((done) => setTimeout(done, 50));
  }
}
