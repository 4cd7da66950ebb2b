/**
 * How workers without a common folder hand files to each other. Each has a work folder of its own at the same path; what
 * one has made or found is offered to the study's storage, and another brings it into its own folder when it needs it.
 * Without a storage the work folder is common, and both do nothing.
 *
 *   files/<sha256>              scans, templates and small texts
 *   results/<key>/<file>        a finished result; its record.json, put last, says that it is whole
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DeltaMdError } from '../pipeline/failures.ts';
import { type FileRef, isFile } from '../pipeline/step.ts';
import type { Storage } from './storage/storage.ts';
import { type StepRecord, Store } from './store.ts';
import { isThere } from './whole-file.ts';

const RECORD = 'record.json';

/** Every file in a value, however deep. */
function filesIn(value: unknown): FileRef[] {
  if (isFile(value)) return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(filesIn) : [];
}

export class Exchange {
  readonly #store: Store;
  readonly #storage: Storage | undefined;
  /** Contents known to be in the storage. */
  readonly #offered = new Set<string>();
  /** Results on their way here. */
  readonly #coming = new Map<string, Promise<void>>();

  constructor(work: string, storage: Storage | undefined) {
    this.#store = new Store(work);
    this.#storage = storage;
  }

  /** Makes every file in a value, all of them this worker's, known to all. */
  async offer(value: unknown): Promise<void> {
    if (!this.#storage) return;
    for (const { path, sha256 } of filesIn(value)) {
      const name = `files/${sha256}`;
      if (this.#offered.has(name)) continue;
      if (!(await this.#storage.has(name))) await this.#storage.put(name, path);
      this.#offered.add(name);
    }
  }

  /** Makes a result of this worker known to all. */
  async offerResult({ key, outputs }: StepRecord): Promise<void> {
    if (!this.#storage) return;
    const folder = this.#store.folder(key);
    for (const { file } of Object.values(outputs))
      await this.#storage.put(`results/${key}/${file}`, join(folder, file));
    await this.#storage.put(`results/${key}/${RECORD}`, join(folder, RECORD));
  }

  /** A result that another worker has made, brought here whole; undefined where nobody has. */
  async bringResult(key: string): Promise<StepRecord | undefined> {
    const there = await this.#store.look(key);
    if (there || !this.#storage) return there;
    // Several inputs of a step, and several steps, may want the same result.
    let coming = this.#coming.get(key);
    if (!coming) {
      coming = this.#fetchResult(key, this.#storage).finally(() => this.#coming.delete(key));
      this.#coming.set(key, coming);
    }
    await coming;
    return this.#store.look(key);
  }

  async #fetchResult(key: string, storage: Storage): Promise<void> {
    const aside = `${this.#store.scratch(key)}.brought`;
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    try {
      if (!(await storage.get(`results/${key}/${RECORD}`, join(aside, RECORD)))) return;
      const record = await this.#store.readRecord(join(aside, RECORD));
      for (const { file } of Object.values(record.outputs))
        if (!(await storage.get(`results/${key}/${file}`, join(aside, file)))) return;
      const folder = this.#store.folder(key);
      await mkdir(dirname(folder), { recursive: true });
      await rename(aside, folder);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }

  /** A local file of this content. @throws DeltaMdError INPUT_MISSING where neither this worker nor the storage has it */
  async bring(file: FileRef): Promise<FileRef> {
    if (!this.#storage || (await isThere(file.path))) return file;
    const key = this.#store.keyIn(file.path);
    if (key !== undefined) {
      await this.bringResult(key);
      if (await isThere(file.path)) return file;
    }
    const path = join(this.#store.root, 'files', file.sha256, basename(file.path));
    if ((await isThere(path)) || (await this.#storage.get(`files/${file.sha256}`, path)))
      return { path, sha256: file.sha256 };
    throw new DeltaMdError('INPUT_MISSING', `${file.path} is neither here nor in the study's storage`, {
      remedy: 'Run the subject again: delta-md retry',
    });
  }

  /** The same value with every file in it brought here. */
  async bringAll<T>(value: T): Promise<T> {
    if (isFile(value)) return (await this.bring(value)) as T;
    if (Array.isArray(value)) return (await Promise.all(value.map((item) => this.bringAll(item)))) as T;
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(async ([name, item]) => [name, await this.bringAll(item)]);
    return Object.fromEntries(await Promise.all(entries)) as T;
  }

  /** The records of a result's ancestors, too, for whoever follows them by their folders. */
  async bringRecords(files: readonly FileRef[]): Promise<void> {
    if (!this.#storage) return;
    for (const { path } of files) {
      const key = this.#store.keyIn(path);
      const record = key === undefined ? undefined : await this.bringResult(key);
      if (record) await this.bringRecords(Object.values(record.inputs));
    }
  }
}
