/**
 * A bucket of an S3 service. Credentials, region and endpoint come from AWS's own environment variables and files
 * (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL_S3, ...), never from the study file.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, HeadObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { placeWhole } from '../whole-file.ts';
import type { Storage } from './storage.ts';

const isMissing = (error: unknown) =>
  error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;

export class S3Storage implements Storage {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(bucket: string, prefix: string) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    // Services other than AWS's seldom have a name per bucket.
    const forcePathStyle = Boolean(process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL']);
    this.#client = new S3Client({ forcePathStyle });
  }

  #object(name: string) {
    return { Bucket: this.#bucket, Key: this.#prefix === '' ? name : `${this.#prefix}/${name}` };
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
      throw new DeltaMdError(
        'STORAGE_UNAVAILABLE',
        `s3://${this.#bucket}/${this.#prefix}: ${(error as Error).message}`,
      );
    }
  }

  async has(name: string): Promise<boolean> {
    try {
      await this.#ask(() => this.#client.send(new HeadObjectCommand(this.#object(name))));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async put(name: string, path: string): Promise<void> {
    // In parts where it is large; a part that fails is sent again, and nothing is seen before the last one is there.
    await this.#ask(() =>
      new Upload({
        client: this.#client,
        params: { ...this.#object(name), Body: createReadStream(path) },
      }).done(),
    );
  }

  async get(name: string, path: string): Promise<boolean> {
    try {
      await placeWhole(path, (aside) =>
        this.#ask(async () => {
          const { Body } = await this.#client.send(new GetObjectCommand(this.#object(name)));
          await pipeline(Body as Readable, createWriteStream(aside));
        }),
      );
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}
