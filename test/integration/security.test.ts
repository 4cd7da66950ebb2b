/** What Temporal gets to see of a cohort whose payloads are encrypted: its whole database is searched. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  delay,
  deltaMd,
  makeStudy,
  removeStudy,
  type Study,
  start,
  waitForStep,
  writeSet,
} from './harness.ts';

const VARIABLE = 'DELTA_MD_PAYLOAD_KEY_FILE';

/** Everything the embedded server has stored for a study. */
async function stored(study: Study): Promise<Buffer> {
  const folder = join(study.work, 'temporal');
  const files = (await readdir(folder)).filter((name) => name.startsWith('temporal.db'));
  return Buffer.concat(await Promise.all(files.map((name) => readFile(join(folder, name)))));
}

/** Where the study lies, and what a failed tool said. */
const SECRETS = ['Studie für Ärzte/study.yaml', 'this series cannot be corrected'];

async function failingStudy(): Promise<Study> {
  const study = await makeStudy(2);
  await writeSet(study, 'sub-02', 'post', 'AP', 666);
  return study;
}

describe('payload encryption', () => {
  const studies: Study[] = [];
  let encrypted: Study;
  let keyFile: string;
  beforeAll(async () => {
    encrypted = await failingStudy();
    studies.push(encrypted);
    keyFile = join(dirname(encrypted.root), 'payload.key');
    await writeFile(keyFile, `${randomBytes(32).toString('base64')}\n`);
  });
  afterAll(async () => {
    delete process.env[VARIABLE];
    for (const study of studies) await removeStudy(study);
  });

  it('leaves the server nothing but ciphertext, ids and codes', async () => {
    process.env[VARIABLE] = keyFile;
    const { code, stdout } = await deltaMd('run', encrypted.file);
    // The failure reaches its reader all the same.
    expect([code, stdout]).toEqual([1, expect.stringContaining('this series cannot be corrected')]);
    const database = await stored(encrypted);
    for (const secret of SECRETS) expect(database.includes(secret), secret).toBe(false);
    for (const clear of ['runStep', 'test/sub-01', 'TOOL_FAILED', 'binary/encrypted'])
      expect(database.includes(clear), clear).toBe(true);
  });

  it('is what hides them: without it they are there', async () => {
    delete process.env[VARIABLE];
    const plain = await failingStudy();
    studies.push(plain);
    expect((await deltaMd('run', plain.file)).code).toBe(1);
    const database = await stored(plain);
    for (const secret of SECRETS) expect(database.includes(secret), secret).toBe(true);
    expect(database.includes('binary/encrypted')).toBe(false);
  });

  it('says which key is missing', async () => {
    const study = await makeStudy(1);
    studies.push(study);
    await delay(study, { eddy: 4000 });
    process.env[VARIABLE] = keyFile;
    const run = start('run', study.file);
    await waitForStep(study, 'topup', run);
    delete process.env[VARIABLE];
    const without = await deltaMd('status', study.file);
    expect([without.code, without.stderr]).toEqual([
      2,
      expect.stringMatching(/encrypted with key [0-9a-f]{8}; DELTA_MD_PAYLOAD_KEY_FILE names no key file/),
    ]);
    const other = join(study.root, 'other.key');
    await writeFile(other, `${randomBytes(32).toString('base64')}\n`);
    process.env[VARIABLE] = other;
    expect((await deltaMd('status', study.file)).stderr).toMatch(
      /encrypted with key [0-9a-f]{8}; the key file/,
    );
    process.env[VARIABLE] = keyFile;
    expect((await deltaMd('status', study.file)).code).toBe(0);
    expect((await run.ended).code).toBe(0);
  });
});
