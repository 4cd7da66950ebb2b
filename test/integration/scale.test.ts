/** Cohorts larger than one history: nothing is lost at the seams, whatever is asked while it runs. */
import { randomUUID } from 'node:crypto';
import { type Connection, WorkflowUpdateFailedError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerSearchAttributes } from '../../cli/temporal/search-attributes.ts';
import { CONTROL_UPDATE, RETRY_UPDATE, TABLE_QUERY } from '../../pipeline/messages.ts';
import { counts, type Roster, rosterOf, rowsOf } from '../../pipeline/roster.ts';
import type { CohortInput, cohortWorkflow } from '../../workflows/index.ts';
import { waitFor } from './harness.ts';
import { noopActivities, noopPlan, noopWorkers, type Tally } from './noop.ts';
import { type Server, startServer } from './server.ts';

const SUBJECTS = 120;
const names = Array.from({ length: SUBJECTS }, (_, i) => `sub-${String(i + 1).padStart(4, '0')}`);
const roster = rosterOf(
  names.map((subject, i) => ({ subject, group: i % 2 ? 'a' : 'b', status: 'waiting' as const })),
);

describe('a cohort of several pages', () => {
  let server: Server;
  let connection: NativeConnection;
  beforeAll(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    server = await startServer();
    await registerSearchAttributes(server.client.connection as Connection, 'default');
    connection = await NativeConnection.connect({ address: server.address });
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  /** Starts a cohort on a worker of its own. */
  async function cohort(input: Partial<CohortInput> = {}, isBroken?: (subject: string) => boolean) {
    const taskQueue = randomUUID();
    const { activities, tally } = noopActivities(isBroken);
    const { stop } = await noopWorkers(connection, taskQueue, activities);
    const study = `scale-${taskQueue.slice(0, 8)}`;
    const handle = await server.client.workflow.start<typeof cohortWorkflow>('cohortWorkflow', {
      taskQueue,
      workflowId: `${study}/cohort`,
      args: [{ plan: noopPlan(study, 20), roster, page: 50, ...input }],
    });
    return { handle, tally, study, stop };
  }

  const once = ({ prepared, published }: Tally) =>
    [...prepared.values(), ...published.values()].every((n) => n === 1);

  it('processes every subject once, in as many runs as it has pages, each with a bounded history', async () => {
    const { handle, tally, study, stop } = await cohort();
    const result = await handle.result();
    await stop();
    expect(result.counts).toEqual({ waiting: 0, running: 0, done: SUBJECTS, failed: 0, excluded: 0 });
    expect(tally.published.size).toBe(SUBJECTS);
    expect(once(tally)).toBe(true);
    const runs: number[] = [];
    for await (const run of server.client.workflow.list({ query: `WorkflowId = '${study}/cohort'` }))
      runs.push(run.historyLength ?? Number.NaN);
    expect(runs).toHaveLength(Math.ceil(SUBJECTS / 50));
    for (const events of runs) expect(events).toBeLessThan(50 * 12);
  });

  it('pauses, goes on wider, and takes a failed subject again across the seam', async () => {
    const broken = new Set(['sub-0003']);
    const { handle, tally, study, stop } = await cohort(
      { controls: { window: 2, paused: false } },
      (subject) => broken.has(subject),
    );
    const table = async () => rowsOf(await handle.query<Roster>(TABLE_QUERY));
    await waitFor(async () => (await table()).some((row) => row.status === 'failed'));
    expect(await handle.executeUpdate(CONTROL_UPDATE, { args: [{ paused: true }] })).toEqual({
      window: 2,
      paused: true,
    });
    await waitFor(async () => counts(await table()).running === 0);
    const before = counts(await table()).done;
    await new Promise((done) => setTimeout(done, 500));
    expect(counts(await table()).done).toBe(before);
    expect(before).toBeLessThan(SUBJECTS);

    const found: string[] = [];
    const query = `DeltaMdStudy = '${study}' AND DeltaMdFailure = 'INPUT_MISSING'`;
    for await (const { workflowId } of server.client.workflow.list({ query })) found.push(workflowId);
    expect(found).toEqual([`${study}/sub-0003`]);

    broken.clear();
    await handle.executeUpdate(RETRY_UPDATE, { args: [['sub-0003']] });
    await handle.executeUpdate(CONTROL_UPDATE, { args: [{ paused: false, window: 30 }] });
    const result = await handle.result();
    await stop();
    expect(result.counts).toMatchObject({ done: SUBJECTS, failed: 0 });
    expect(tally.published.size).toBe(SUBJECTS);
    expect([...tally.published.values()].every((n) => n === 1)).toBe(true);
  });

  it('refuses what makes no sense', async () => {
    const { handle, stop } = await cohort({ controls: { window: 1, paused: true } });
    const refused = (update: string, arg: unknown) =>
      expect(handle.executeUpdate(update, { args: [arg] })).rejects.toThrow(WorkflowUpdateFailedError);
    await refused(CONTROL_UPDATE, { window: 0 });
    await refused(CONTROL_UPDATE, { window: 2.5 });
    await refused(CONTROL_UPDATE, {});
    await refused(RETRY_UPDATE, []);
    await refused(RETRY_UPDATE, ['sub-0001']);
    await refused(RETRY_UPDATE, ['sub-9999']);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    await stop();
  });
});
