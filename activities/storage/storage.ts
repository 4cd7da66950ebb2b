/**
 * Where files lie that workers without a common folder hand to each other: `file:///folder` or `s3://bucket/prefix`.
 * Names are chosen by content, so a name is written once and never changed.
 */
import { fileURLToPath } from 'node:url';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { FileStorage } from './file-storage.ts';

export interface Storage {
  has(name: string): Promise<boolean>;
  /** Stores a file under a name, whole or not at all. */
  put(name: string, path: string): Promise<void>;
  /** Fetches a file, whole or not at all. @returns false where there is no such name */
  get(name: string, path: string): Promise<boolean>;
}

async function make(url: string): Promise<Storage> {
  const { protocol, hostname, pathname } = new URL(url);
  if (protocol === 'file:') return new FileStorage(fileURLToPath(url));
  if (protocol === 's3:') {
    // Loaded where it is needed: the S3 client is large.
    const { S3Storage } = await import('./s3-storage.ts');
    return new S3Storage(hostname, pathname.replace(/^\/|\/$/g, ''));
  }
  throw new DeltaMdError('CONFIG_INVALID', `storage ${url} is neither file:// nor s3://`);
}

const made = new Map<string, Promise<Storage>>();

/** The storage of a URL; one instance per worker. */
export function storageAt(url: string): Promise<Storage> {
  let storage = made.get(url);
  if (!storage) made.set(url, (storage = make(url)));
  return storage;
}
