/** What Temporal gets to see of a cohort whose payloads are encrypted: its whole database is searched. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  delay,
  deltaMd,
  makeStudy,
  removeStudy,
  type Study,
  start,
  startUnder,
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

describe('a run with secrets around it, over a dataset with a name that would do harm', () => {
  let study: Study;
  const SECRETS_AROUND: Record<string, string> = {
    AWS_SECRET_ACCESS_KEY: 'k3y-of-the-storage',
    TEMPORAL_API_KEY: 'k3y-of-the-server',
    DELTA_MD_TEST_TOKEN: 'k3y-of-somebody',
  };
  beforeAll(async () => {
    study = await makeStudy(1);
    // The tools say all they are given, so that a secret they were given would be in their logs.
    const tool = join(study.tools, 'toolkit.mjs');
    const [shebang, ...rest] = (await readFile(tool, 'utf8')).split('\n');
    const confess = "console.log('given', JSON.stringify([process.argv.slice(2), process.env]));";
    await writeFile(tool, [shebang, ...rest.slice(0, 5), confess, ...rest.slice(5)].join('\n'));
    const hostile = `it's $(touch harm) ;touch harm; "ü"\ttab`;
    await rename(study.bids, join(study.root, hostile));
    const text = await readFile(study.file, 'utf8');
    await writeFile(study.file, text.replace('bids: ./bids', `bids: ${JSON.stringify(`./${hostile}`)}`));
  });
  afterAll(() => removeStudy(study));

  it('gives tools neither, and keeps the secrets out of everything it writes', async () => {
    const { ended, said } = startUnder([], SECRETS_AROUND, 'run', study.file);
    expect((await ended).code, said()).toBe(0);
    const files = await readdir(study.root, { recursive: true, withFileTypes: true });
    const given: string[] = [];
    for (const entry of files.filter((one) => one.isFile())) {
      expect(entry.name).not.toContain('harm');
      const content = await readFile(join(entry.parentPath, entry.name));
      for (const secret of Object.values(SECRETS_AROUND))
        expect(content.includes(secret), `${entry.name}: ${secret}`).toBe(false);
      if (entry.name === 'log.txt')
        given.push(
          ...content
            .toString()
            .split('\n')
            .filter((line) => line.startsWith('given ')),
        );
    }
    for (const secret of Object.values(SECRETS_AROUND)) expect(said()).not.toContain(secret);
    // More than one session's steps: every tool was heard.
    expect(given.length).toBeGreaterThan(20);
    for (const line of given) {
      const [argv, env] = JSON.parse(line.slice('given '.length)) as [string[], Record<string, string>];
      expect(argv.join(' ')).not.toMatch(/harm|sub-01/);
      expect(Object.keys(env).sort()).toEqual(['FSLOUTPUTTYPE', 'HOME', 'LANG', 'OMP_NUM_THREADS', 'PATH']);
    }
  });
});
