/** A trial that is still scanning: subjects are taken as their sessions come. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  computedTwice,
  deltaMd,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  setPath,
  start,
  waitFor,
} from './harness.ts';
import { type Server, startServer } from './server.ts';

/** About four seconds. */
const DEADLINE_DAYS = 0.00005;

describe('watch', () => {
  let study: Study;
  let server: Server;
  let worker: Running;
  const session = (subject: string) => dirname(dirname(setPath(study, subject, 'post', 'AP')));
  const aside = (subject: string) => join(study.root, `${subject}-post`);
  const rows = async (): Promise<{ subject: string; status: string; failure?: { code: string } }[]> =>
    JSON.parse(await readFile(join(study.output, 'logs', 'cohort.json'), 'utf8').catch(() => '{"rows":[]}'))
      .rows;
  const statusOf = async (subject: string) => (await rows()).find((row) => row.subject === subject)?.status;

  beforeAll(async () => {
    study = await makeStudy(3, 'arrivals: { settledMinutes: 0, followupWithinDays: 1 }\n');
    for (const subject of ['sub-02', 'sub-03']) await rename(session(subject), aside(subject));
    server = await startServer();
    worker = start('worker', '--temporal-address', server.address);
  });
  afterAll(async () => {
    worker.child.kill('SIGKILL');
    await server.stop();
    await removeStudy(study);
  });
  const watch = async (...words: string[]) => {
    const ended = await deltaMd(
      'watch',
      study.file,
      '--temporal-address',
      server.address,
      '--json',
      ...words,
    );
    expect(ended.code, ended.stderr).toBe(0);
    return JSON.parse(ended.stdout);
  };
  /**
   * Looks until it holds, as the schedule does in its minutes. One look is not enough: the server names a look by the
   * second it was asked for, and drops a second one of the same name.
   */
  const lookUntil = async (schedule: string, holds: () => Promise<boolean>) => {
    const handle = server.client.schedule.getHandle(schedule);
    let asked = 0;
    await waitFor(
      async () => {
        if (await holds()) return true;
        if (Date.now() - asked > 2000) {
          await handle.trigger();
          asked = Date.now();
        }
        return false;
      },
      async () =>
        JSON.stringify({
          rows: await rows(),
          looks: (await handle.describe()).info,
          steps: await server.client.workflow.getHandle('test/sub-02').query('steps'),
        }),
    );
  };
  const running = async (subject: string) =>
    (await server.client.workflow.getHandle(`test/${subject}`).describe()).status.name === 'RUNNING';

  it('takes who is complete, starts who has a baseline, and reports on those done', async () => {
    expect(await watch()).toMatchObject({ watching: true, everyMinutes: 15 });
    await waitFor(
      async () =>
        (
          await server.client.workflow
            .getHandle('test/sub-01')
            .describe()
            .catch(() => undefined)
        )?.status.name === 'COMPLETED',
    );
    await lookUntil('test/arrivals', async () => (await statusOf('sub-01')) === 'done');
    expect(await statusOf('sub-02')).toBe('waiting');
    expect(await running('sub-02')).toBe(true);
    const steps = await server.client.workflow
      .getHandle('test/sub-02')
      .query<{ step: string; session: string; state: string }[]>('steps');
    expect(steps).toContainEqual(
      expect.objectContaining({ step: 'wait for scan', session: 'ses-post', state: 'running' }),
    );
    const report = () => readFile(join(study.output, 'report.html'), 'utf8').catch(() => '');
    await waitFor(async () => (await report()).includes('sub-01'));
  });

  it('goes on with a subject when its second session comes', async () => {
    await rename(aside('sub-02'), session('sub-02'));
    await lookUntil('test/arrivals', async () => !(await running('sub-02')));
    await lookUntil('test/arrivals', async () => (await statusOf('sub-02')) === 'done');
    expect(await computedTwice(study)).toEqual([]);
  });

  it('a subject whose second session never comes fails by its deadline, with the remedy', async () => {
    await server.client.workflow.getHandle('test/sub-03').terminate();
    const text = await readFile(study.file, 'utf8');
    await writeFile(
      study.file,
      text.replace('followupWithinDays: 1', `followupWithinDays: ${DEADLINE_DAYS}`),
    );
    // Under another name it is another trial: the first sub-03 keeps its workflow.
    await writeFile(study.file, (await readFile(study.file, 'utf8')).replace('study: test', 'study: late'));
    await watch();
    const handle = server.client.workflow.getHandle('late/sub-03');
    await waitFor(async () => (await handle.describe().catch(() => undefined))?.status.name === 'FAILED');
    await lookUntil('late/arrivals', async () => (await statusOf('sub-03')) === 'failed');
    const row = (await rows()).find(({ subject }) => subject === 'sub-03');
    expect(row?.failure).toMatchObject({ code: 'INPUT_MISSING', session: 'ses-post' });
  });

  it('--stop ends it; stopping twice says that nothing watches', async () => {
    expect(await watch('--stop')).toMatchObject({ watching: false });
    expect((await deltaMd('watch', study.file, '--temporal-address', server.address, '--stop')).code).toBe(2);
  });
});
