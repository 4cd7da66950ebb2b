import { createDecipheriv, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncryptionCodec, keyId, PayloadKeyError, readKeys } from '../../cli/temporal/codec.ts';
import { serveCodec } from '../../cli/temporal/codec-server.ts';

const KEY = randomBytes(32);
const OLDER = randomBytes(32);
const SECRET = { subject: 'sub-01', path: '/data/Studie für Ärzte', md: 0.00083, none: null };
const plain = () => defaultPayloadConverter.toPayload(SECRET) as Payload;

async function one(payloads: Promise<Payload[]>): Promise<Payload> {
  const [payload] = await payloads;
  return payload;
}

const encrypted = (keys = [KEY]) => one(new EncryptionCodec(keys).encode([plain()]));
const decrypted = async (payload: Payload, keys: Buffer[]) =>
  defaultPayloadConverter.fromPayload(await one(new EncryptionCodec(keys).decode([payload])));

describe('payload encryption', () => {
  it('gives back what was encrypted, and shows nothing of it', async () => {
    const payload = await encrypted();
    expect(await decrypted(payload, [KEY])).toEqual(SECRET);
    expect(Buffer.from(payload.data!).toString('latin1')).not.toContain('sub-01');
    expect(Object.keys(payload.metadata!).sort()).toEqual(['encoding', 'encryption-key-id']);
  });

  it("follows the layout of Temporal's samples: nonce, ciphertext, tag of a protobuf payload", async () => {
    const data = Buffer.from((await encrypted()).data!);
    const decipher = createDecipheriv('aes-256-gcm', KEY, data.subarray(0, 12));
    decipher.setAuthTag(data.subarray(data.length - 16));
    const plainBytes = Buffer.concat([
      decipher.update(data.subarray(12, data.length - 16)),
      decipher.final(),
    ]);
    expect(
      defaultPayloadConverter.fromPayload(proto.temporal.api.common.v1.Payload.decode(plainBytes)),
    ).toEqual(SECRET);
  });

  it('never uses a nonce twice', async () => {
    const codec = new EncryptionCodec([KEY]);
    const payloads = await codec.encode(Array.from({ length: 500 }, plain));
    const nonces = payloads.map(({ data }) => Buffer.from(data!.subarray(0, 12)).toString('hex'));
    expect(new Set(nonces).size).toBe(500);
  });

  it('refuses a wrong key by name, and the absence of any', async () => {
    const payload = await encrypted();
    await expect(decrypted(payload, [OLDER])).rejects.toThrow(
      new PayloadKeyError(
        `the payload is encrypted with key ${keyId(KEY)}; the key file of DELTA_MD_PAYLOAD_KEY_FILE holds ${keyId(OLDER)}`,
      ),
    );
    await expect(decrypted(payload, [])).rejects.toThrow(
      `key ${keyId(KEY)}; DELTA_MD_PAYLOAD_KEY_FILE names no key file here`,
    );
  });

  it('refuses a payload of which any byte was changed', async () => {
    const payload = await encrypted();
    for (let i = 0; i < payload.data!.length; i += 7) {
      const data = Uint8Array.from(payload.data!);
      data[i] ^= 1;
      await expect(decrypted({ ...payload, data }, [KEY])).rejects.toThrow(PayloadKeyError);
    }
  });

  it('reads payloads of older keys, and of times without encryption', async () => {
    expect(await decrypted(await encrypted([OLDER]), [KEY, OLDER])).toEqual(SECRET);
    expect(await decrypted(plain(), [KEY])).toEqual(SECRET);
    expect(await encrypted([])).toEqual(plain());
  });
});

describe('a key file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delta-md-keys-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const file = async (content: string) => {
    const path = join(folder, 'payload.key');
    await writeFile(path, content);
    return path;
  };

  it('holds a key a line, the current one first', async () => {
    const path = await file(`${KEY.toString('base64')}\n\n${OLDER.toString('base64')}\n`);
    expect(readKeys(path)).toEqual([KEY, OLDER]);
  });

  it.each([
    ['', 'holds no payload key'],
    [`${KEY.toString('base64')}\nc2hvcnQ=\n`, 'line 2: a payload key is 32 bytes in base64'],
  ])('is refused with the line that is wrong: %j', async (content, message) => {
    const path = await file(content);
    expect(() => readKeys(path)).toThrow(message);
  });

  it('that is missing is named', () => {
    expect(() => readKeys('/nowhere/payload.key')).toThrow('/nowhere/payload.key');
  });
});

describe('the codec server', () => {
  const ORIGIN = 'https://temporal.lab';
  let url: string;
  let stop: () => void;
  beforeAll(async () => {
    const server = await serveCodec(new EncryptionCodec([KEY]), 0, ORIGIN);
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    stop = () => server.close();
  });
  afterAll(() => stop());

  const post = (path: string, body: string, origin = ORIGIN) =>
    fetch(url + path, { method: 'POST', body, headers: { origin, 'content-type': 'application/json' } });
  const json = (payload: Payload) =>
    JSON.stringify({
      payloads: [
        {
          metadata: Object.fromEntries(
            Object.entries(payload.metadata!).map(([k, v]) => [k, Buffer.from(v).toString('base64')]),
          ),
          data: Buffer.from(payload.data!).toString('base64'),
        },
      ],
    });

  it('decrypts for the UI', async () => {
    const response = await post('/decode', json(await encrypted()));
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    const { payloads } = (await response.json()) as { payloads: { data: string }[] };
    expect(JSON.parse(Buffer.from(payloads[0].data, 'base64').toString())).toEqual(SECRET);
  });

  it('encrypts what the UI sends back', async () => {
    const response = await post('/encode', json(plain()));
    const { payloads } = (await response.json()) as {
      payloads: { metadata: Record<string, string>; data: string }[];
    };
    const bytes = (text: string) => Buffer.from(text, 'base64');
    const metadata = Object.entries(payloads[0].metadata).map(([k, v]) => [k, bytes(v)]);
    const payload = { metadata: Object.fromEntries(metadata), data: bytes(payloads[0].data) };
    expect(await decrypted(payload, [KEY])).toEqual(SECRET);
  });

  it('answers the question a browser asks before', async () => {
    const response = await fetch(`${url}/decode`, { method: 'OPTIONS', headers: { origin: ORIGIN } });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-headers')).toContain('x-namespace');
  });

  it('answers no other page, path, or nonsense', async () => {
    const payload = json(await encrypted());
    expect((await post('/decode', payload, 'https://elsewhere.example')).status).toBe(403);
    expect((await post('/keys', payload)).status).toBe(404);
    expect((await post('/decode', '{')).status).toBe(400);
    const foreign = await one(new EncryptionCodec([OLDER]).encode([plain()]));
    const refused = await post('/decode', json(foreign));
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(keyId(OLDER))]);
  });
});
