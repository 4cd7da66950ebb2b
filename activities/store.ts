/**
 * Results by content. A key is the hash of everything a result depends on: the tool's digest, the argv, the content of
 * every input. Under its key a result lies whole, with its record, or not at all.
 *
 *   <work>/store/ab/abcd.../   outputs, record.json, log.txt
 *   <work>/scratch/abcd.../    a step while it runs
 *   <work>/leases/abcd...      held by whoever runs it, see lease.ts
 *   <work>/failed/abcd.../     what a failed step left, for looking at
 *   <work>/journal.jsonl       one line per computed or failed step
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ToolIdentity } from '../containers/runtime.ts';
import type { FileRef, StepRun } from '../pipeline/step.ts';
import { placeWhole } from './whole-file.ts';

/** What is kept beside each result. */
export interface StepRecord {
  readonly key: string;
  readonly step: string;
  readonly argv: readonly string[];
  readonly tool: ToolIdentity;
  readonly runtime: string;
  readonly inputs: Readonly<Record<string, FileRef>>;
  readonly outputs: Readonly<Record<string, { file: string; sha256: string; bytes: number }>>;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly seconds: number;
  readonly peakMemoryMiB?: number;
  readonly cpuSeconds?: number;
  readonly exitCode: number;
  /** The order by which it was computed though a result was there. */
  readonly anew?: string;
}

/** SHA-256 of a file, hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Key of a step's result. Paths do not enter it: the same content under another name is the same work. */
export function keyOf(run: StepRun, tool: ToolIdentity): string {
  const inputs = Object.entries(run.inputs)
    .map(([staged, file]) => [staged, file.sha256])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const outputs = Object.entries(run.outputs).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify({ tool: tool.digest, argv: run.argv, inputs, outputs }))
    .digest('hex');
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export class Store {
  readonly root: string;

  /** @param root absolute path of the study's work folder */
  constructor(root: string) {
    this.root = root;
  }

  folder(key: string): string {
    return join(this.root, 'store', key.slice(0, 2), key);
  }

  scratch(key: string): string {
    return join(this.root, 'scratch', key);
  }

  /** The record of a finished result, or undefined; its files are not looked at. */
  async look(key: string): Promise<StepRecord | undefined> {
    return this.readRecord(join(this.folder(key), 'record.json')).catch(() => undefined);
  }

  async readRecord(path: string): Promise<StepRecord> {
    return JSON.parse(await readFile(path, 'utf8'));
  }

  /** Key of the result that a file belongs to; undefined for any other file. */
  keyIn(path: string): string | undefined {
    const key = basename(dirname(path));
    return this.folder(key) === dirname(path) ? key : undefined;
  }

  /** A finished result that is what its record says, or undefined; nothing is changed, so nobody need hold its lease. */
  async findIntact(key: string): Promise<StepRecord | undefined> {
    const record = await this.look(key);
    return record && (await this.#damaged(record)) === undefined ? record : undefined;
  }

  /**
   * A finished result that is what its record says, or undefined. A result whose files were changed counts as none,
   * and is removed. The holder of the key's lease may rely on it.
   */
  async find(key: string): Promise<StepRecord | undefined> {
    const record = await this.look(key);
    if (!record) return undefined;
    const file = await this.#damaged(record);
    if (file === undefined) return record;
    await rm(this.folder(key), { recursive: true, force: true });
    await this.note({ event: 'damaged', key, step: record.step, file });
    return undefined;
  }

  /** The first file of a result that is not what its record says. */
  async #damaged(record: StepRecord): Promise<string | undefined> {
    for (const { file, sha256 } of Object.values(record.outputs))
      if ((await hashFile(join(this.folder(record.key), file)).catch(() => undefined)) !== sha256)
        return file;
    return undefined;
  }

  /** File that whoever computes a key holds meanwhile. */
  lease(key: string): string {
    return join(this.root, 'leases', key);
  }

  /** Files of a finished result. */
  outputs(record: StepRecord): Record<string, FileRef> {
    const folder = this.folder(record.key);
    return Object.fromEntries(
      Object.entries(record.outputs).map(([name, { file, sha256 }]) => [
        name,
        { path: join(folder, file), sha256 },
      ]),
    );
  }

  /** An empty scratch folder for a key; what an earlier attempt left there is removed. */
  async openScratch(key: string): Promise<string> {
    const folder = this.scratch(key);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** Moves a finished scratch folder to its place, record and all, in one rename. */
  async publish(record: StepRecord): Promise<void> {
    const scratch = this.scratch(record.key);
    const folder = this.folder(record.key);
    await writeFile(join(scratch, 'record.json'), `${JSON.stringify(record, null, 2)}\n`);
    for (const { file } of Object.values(record.outputs)) await sync(join(scratch, file));
    await sync(join(scratch, 'record.json'));
    await mkdir(dirname(folder), { recursive: true });
    // There before only where it is made anew by order.
    await rm(folder, { recursive: true, force: true });
    await rename(scratch, folder);
    await this.note({
      event: record.anew === undefined ? 'computed' : 'computed anew',
      key: record.key,
      step: record.step,
      seconds: record.seconds,
    });
  }

  /** Keeps what a failed step left, replacing what its last failure left. */
  async keepFailed(key: string, step: string): Promise<string> {
    const folder = join(this.root, 'failed', key);
    await rm(folder, { recursive: true, force: true });
    await mkdir(dirname(folder), { recursive: true });
    await rename(this.scratch(key), folder);
    await this.note({ event: 'failed', key, step });
    return folder;
  }

  /** Stores a small text by its content, under a name tools and people can read. */
  async putText(name: string, text: string): Promise<FileRef> {
    const sha256 = createHash('sha256').update(text).digest('hex');
    const path = join(this.root, 'store', 'text', sha256.slice(0, 16), name);
    const ref = { path, sha256 };
    const there = await readFile(path, 'utf8').catch(() => undefined);
    if (there === text) return ref;
    await placeWhole(path, (aside) => writeFile(aside, text));
    return ref;
  }

  async note(entry: Record<string, unknown>): Promise<void> {
    const line = JSON.stringify({ time: new Date().toISOString(), host: hostname(), ...entry });
    await appendFile(join(this.root, 'journal.jsonl'), `${line}\n`);
  }
}
