/**
 * Encryption of everything that Temporal stores for us: arguments, results, memos, summaries, heartbeats, messages of
 * failures. AES-256-GCM with a key that the server never has. What Temporal must read stays clear: workflow ids, search
 * attributes, codes of failures.
 *
 * An encrypted payload is the protobuf of the plain one, laid out as in Temporal's own samples: 12 bytes of nonce,
 * ciphertext, 16 bytes of tag, under `encoding: binary/encrypted` with `encryption-key-id`.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { CommandError, EXIT } from '../exit-codes.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ENCODING = 'binary/encrypted';

const text = new TextDecoder();
const bytes = new TextEncoder();

/** A payload that cannot be decrypted with the keys at hand. */
export class PayloadKeyError extends CommandError {
  override name = 'PayloadKeyError';

  constructor(message: string) {
    super(message, EXIT.badInput);
  }
}

/** Says which key it is and nothing about it: the first 8 hex digits of its SHA-256. */
export function keyId(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

/**
 * Encrypts with the first key, decrypts with whichever was used. Without keys payloads stay as they are, and encrypted
 * ones are refused by name.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #keys: ReadonlyMap<string, Buffer>;

  /** @param keys 32 bytes each, the current one first */
  constructor(keys: readonly Buffer[]) {
    this.#keys = new Map(keys.map((key) => [keyId(key), key]));
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const [current] = this.#keys;
    return current ? payloads.map((payload) => encrypt(payload, ...current)) : payloads;
  }

  /** @throws PayloadKeyError when the key is missing or the payload was changed */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => {
      const { encoding, 'encryption-key-id': id } = payload.metadata ?? {};
      if (!encoding || text.decode(encoding) !== ENCODING) return payload;
      const name = text.decode(id);
      const key = this.#keys.get(name);
      if (!key)
        throw new PayloadKeyError(
          `the payload is encrypted with key ${name}; ${
            this.#keys.size === 0
              ? 'DELTA_MD_PAYLOAD_KEY_FILE names no key file here'
              : `the key file of DELTA_MD_PAYLOAD_KEY_FILE holds ${[...this.#keys.keys()].join(', ')}`
          }`,
        );
      return decrypt(payload, name, key);
    });
  }
}

function encrypt(payload: Payload, id: string, key: Buffer): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const plain = proto.temporal.api.common.v1.Payload.encode(payload).finish();
  const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: bytes.encode(ENCODING), 'encryption-key-id': bytes.encode(id) }, data };
}

function decrypt({ data }: Payload, id: string, key: Buffer): Payload {
  const sealed = data ?? new Uint8Array();
  try {
    const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return proto.temporal.api.common.v1.Payload.decode(
      Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]),
    );
  } catch (error) {
    throw new PayloadKeyError(`a payload encrypted with key ${id} was damaged: ${(error as Error).message}`);
  }
}

/**
 * Reads keys: one per line in base64 (`openssl rand -base64 32`), the current one first, older ones below it for as long
 * as workflows of their time are looked at.
 * @throws CommandError naming the file and line
 */
export function readKeys(file: string): Buffer[] {
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new CommandError(`The payload keys cannot be read: ${(error as Error).message}`, EXIT.badInput);
  }
  const keys = lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    const key = Buffer.from(line.trim(), 'base64');
    if (key.length !== KEY_BYTES)
      throw new CommandError(
        `${file}, line ${i + 1}: a payload key is ${KEY_BYTES} bytes in base64, as openssl rand -base64 ${KEY_BYTES} makes.`,
        EXIT.badInput,
      );
    return [key];
  });
  if (keys.length === 0) throw new CommandError(`${file} holds no payload key.`, EXIT.badInput);
  return keys;
}

/** Keys of DELTA_MD_PAYLOAD_KEY_FILE; none where it is unset. */
function configuredKeys(): Buffer[] {
  const file = process.env['DELTA_MD_PAYLOAD_KEY_FILE'];
  return file ? readKeys(file) : [];
}

/** True where payloads are encrypted. */
export const encrypts = () => Boolean(process.env['DELTA_MD_PAYLOAD_KEY_FILE']);

/** Path of a file that the build puts beside the compiled sources. */
const fromDist = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** What clients and workers convert their payloads by. @throws CommandError for a bad key file */
export function dataConverter(): DataConverter {
  const payloadCodecs = [new EncryptionCodec(configuredKeys())];
  return encrypts()
    ? { payloadCodecs, failureConverterPath: fromDist('failure-converter.cjs') }
    : { payloadCodecs };
}

/** The workflows' code, whose failures are encrypted too where payloads are. */
export const workflowBundle = () => ({
  codePath: fromDist(encrypts() ? 'workflow-bundle-encrypted.js' : 'workflow-bundle.js'),
});
