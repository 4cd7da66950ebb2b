/** A folder that all workers mount, though their own work folders are their own. */
import { constants, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere, placeWhole } from '../whole-file.ts';
import type { Storage } from './storage.ts';

export class FileStorage implements Storage {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async has(name: string): Promise<boolean> {
    return isThere(join(this.#root, name));
  }

  async put(name: string, path: string): Promise<void> {
    await placeWhole(join(this.#root, name), (aside) => copyFile(path, aside, constants.COPYFILE_FICLONE));
  }

  async get(name: string, path: string): Promise<boolean> {
    if (!(await this.has(name))) return false;
    await placeWhole(path, (aside) => copyFile(join(this.#root, name), aside, constants.COPYFILE_FICLONE));
    return true;
  }
}
