/** A running cohort survives an upgrade of its workers: what was begun ends on its version, the rest goes to the new one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  computedTwice,
  delay,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  start,
  waitFor,
} from './harness.ts';
import { type Server, startServer } from './server.ts';

describe('upgrade', () => {
  let study: Study;
  let server: Server;
  const children: Running[] = [];
  const worker = async (build: string) => {
    const one = start(
      'worker',
      '--temporal-address',
      server.address,
      '--build-id',
      build,
      '--make-current',
      '--grace',
      '60',
    );
    children.push(one);
    await waitFor(
      async () => one.said().includes('worker started'),
      async () => one.said(),
    );
    return one;
  };
  const versionOf = async (subject: string) => {
    const { raw } = await server.client.workflow.getHandle(`test/${subject}`).describe();
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
  };
  beforeAll(async () => {
    study = await makeStudy(2, 'resources: { subjectsAtOnce: 1 }\n');
    server = await startServer();
  });
  afterAll(async () => {
    for (const { child } of children) child.kill('SIGKILL');
    await server.stop();
    await removeStudy(study);
  });

  it('the first subject ends on the old version, the second is made by the new one', async () => {
    await worker('old');
    await delay(study, { fsl_reg: 8000 });
    const run = start('run', study.file, '--temporal-address', server.address, '--json');
    children.push(run);
    await waitFor(async () => {
      const { raw } = await server.client.workflow
        .getHandle('test/sub-01')
        .describe()
        .catch(() => ({ raw: undefined }));
      return raw !== undefined;
    });
    await worker('new');
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).counts).toMatchObject({ done: 2, failed: 0 });
    expect(await versionOf('sub-01')).toBe('old');
    expect(await versionOf('sub-02')).toBe('new');
    expect(await computedTwice(study)).toEqual([]);
  });
});
