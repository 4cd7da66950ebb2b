/** The gate: a cohort waits for a person's verdict before its statistics, and what was decided holds from then on. */
import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision, Flagged, Verdict } from '../../pipeline/decisions.ts';
import { REVIEW_QUERY, TABLE_QUERY, VERDICT_UPDATE } from '../../pipeline/messages.ts';
import { counts, type Roster, rosterOf, rowsOf } from '../../pipeline/roster.ts';
import type { CohortAnalysis } from '../../statistics/plan.ts';
import type { cohortWorkflow } from '../../workflows/index.ts';
import {
  deltaMd,
  type Ended,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  start,
  waitFor,
} from './harness.ts';
import { noopActivities, noopPlan, noopWorkers } from './noop.ts';
import { type Server, startServer } from './server.ts';

let server: Server;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  server = await startServer();
});
afterAll(() => server.stop());

describe('a cohort with a gate', () => {
  let study: Study;
  let worker: Running;
  let run: Running;
  const here = () => ['--temporal-address', server.address];
  const cohort = () => server.client.workflow.getHandle('test/cohort');
  const waiting = () => cohort().query<readonly Flagged[]>(REVIEW_QUERY);
  const subjects = Array.from({ length: 6 }, (_, i) => `sub-0${i + 1}`);
  const decisions = async () =>
    (await readFile(join(study.output, 'qc.tsv'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
  const analysis = async (): Promise<CohortAnalysis> =>
    JSON.parse(await readFile(join(study.output, 'group_statistics.json'), 'utf8'));

  beforeAll(async () => {
    // A coverage is at most 1: with this limit everybody is flagged, whatever the stand-in tools make.
    study = await makeStudy(6, 'qc: { gate: review, thresholds: { roi_coverage_min: { warn: 2 } } }\n');
    worker = start('worker', ...here());
    run = start('run', study.file, '--json', ...here());
    await waitFor(
      async () => {
        if (run.child.exitCode !== null) throw new Error(`ended without a verdict: ${run.said()}`);
        return (await waiting().catch(() => [])).length === subjects.length;
      },
      async () => run.said(),
      180,
    );
  });
  afterAll(async () => {
    for (const { child } of [run, worker]) child.kill('SIGKILL');
    await removeStudy(study);
  });

  it('waits, and says for whom and why', async () => {
    expect(await waiting()).toContainEqual({
      subject: 'sub-03',
      why: expect.stringMatching(/ses-pre: smallest share of a region that has data .*2/),
    });
    const status: Ended = await deltaMd('status', study.file, ...here());
    expect(status.stdout).toMatch(/waiting for a verdict on sub-03: ses-pre: smallest share/);
    const { currentDetails } = await cohort().query<{ currentDetails: string }>(
      '__temporal_workflow_metadata',
    );
    expect(currentDetails).toContain('**Waiting for a verdict on 6**');
    expect(currentDetails).toContain('- sub-03: ses-pre: ');
    await waitFor(async () => run.said().includes('waiting for a verdict on sub-03'));
    await expect(stat(join(study.output, 'group_statistics.json'))).rejects.toThrow();
  });

  it.each<[string, Partial<Record<keyof Verdict, unknown>>, RegExp]>([
    ['an unknown subject', { subject: 'sub-99' }, /sub-99 is not in the cohort/],
    ['no subject', { subject: undefined }, /no subject/],
    ['an unknown decision', { decision: 'perhaps' }, /include or exclude/],
    ['no reason', { reason: ' ' }, /reason/],
    ['nobody', { who: '' }, /reviewer/],
  ])('refuses %s', async (_, change, why) => {
    const verdict = { subject: 'sub-03', decision: 'exclude', reason: 'ghost', who: 'A. Weber', ...change };
    const refused: unknown = await cohort()
      .executeUpdate(VERDICT_UPDATE, { args: [verdict] })
      .catch((error) => error);
    expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
    expect((refused as WorkflowUpdateFailedError).cause?.message).toMatch(why);
    await expect(stat(join(study.output, 'qc.tsv'))).rejects.toThrow();
  });

  it('the command is refused in the same words', async () => {
    const words = ['--exclude', 'ghost', '--reviewer', 'A. Weber'];
    const refused = await deltaMd('qc', study.file, 'sub-99', ...words, ...here());
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('Refused: sub-99 is not in the cohort');
  });

  it('takes a verdict from the command, and waits for the others', async () => {
    const words = [
      '--exclude',
      'ghost in both\tfrontal lobes',
      '--reviewer',
      'A. Weber',
      '--session',
      'post',
    ];
    const taken = await deltaMd('qc', study.file, '03', ...words, ...here());
    expect(taken.stdout).toContain('The cohort took it; 5 wait still.');
    expect(taken.code).toBe(1);
    expect((await waiting()).map(({ subject }) => subject)).toEqual(subjects.filter((s) => s !== 'sub-03'));
    const [head, row] = await decisions();
    expect(head).toEqual(['participant_id', 'session', 'decision', 'reason', 'who', 'when']);
    expect(row.slice(0, 5)).toEqual(['sub-03', 'post', 'exclude', 'ghost in both frontal lobes', 'A. Weber']);
    expect(Math.abs(Date.now() - Date.parse(row[5]))).toBeLessThan(60_000);
  });

  it('goes on when the last verdict has come; the statistics leave out whom it excluded', async () => {
    for (const subject of (await waiting()).map((one) => one.subject))
      await cohort().executeUpdate(VERDICT_UPDATE, {
        args: [{ subject, decision: 'include', reason: 'looked at', who: 'B. Huber' }],
      });
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout).counts).toMatchObject({ done: 6, failed: 0, excluded: 0 });
    const { leftOut, n } = await analysis();
    expect(leftOut).toEqual([
      {
        subject: 'sub-03',
        why: expect.stringMatching(/excluded by QC: ghost in both frontal lobes \(A\. Weber/),
      },
    ]);
    expect(n).toMatchObject({ reference: 2, treatment: 3 });
    const report = await readFile(join(study.output, 'report.html'), 'utf8');
    expect(report).toContain('excluded by QC: ghost in both frontal lobes');
    expect(await decisions()).toHaveLength(1 + subjects.length);
  });

  it('export leaves out whom it excluded, and says so', async () => {
    const to = join(study.root, 'exported');
    const { code, stderr } = await deltaMd('export', study.file, '--to', to, '--maps', '--json');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('sub-03 is excluded by QC: ghost');
    const exported = (await readFile(join(to, 'maps', 'subjects.txt'), 'utf8')).trim().split('\n');
    expect(exported).toEqual(subjects.filter((subject) => subject !== 'sub-03'));
  });

  it('is over: later decisions go to the file, and the report uses them', async () => {
    const words = ['--include', 'the ghost is outside', '--reviewer', 'A. Weber', '--json'];
    const again = await deltaMd('qc', study.file, 'sub-03', ...words, ...here());
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).toContain('delta-md report');
    expect(JSON.parse(again.stdout)).toMatchObject({
      awaits: 0,
      gate: null,
      subjects: [{ subject: 'sub-03', level: 'warn', awaits: false, decision: { decision: 'include' } }],
    });
    expect((await deltaMd('report', study.file)).code).toBe(0);
    expect((await analysis()).leftOut).toEqual([]);
    expect(await decisions()).toHaveLength(2 + subjects.length);
  });
});

describe('a gate across the seam of two runs', () => {
  it('loses no verdict, and lets failed subjects in again while it waits', async () => {
    const taskQueue = randomUUID();
    const study = `gate-${taskQueue.slice(0, 8)}`;
    const names = ['sub-1', 'sub-2', 'sub-3', 'sub-4', 'sub-5'];
    const broken = new Set(['sub-5']);
    const kept: Decision[] = [];
    const { activities } = noopActivities((subject) => broken.has(subject));
    const connection = await NativeConnection.connect({ address: server.address });
    const { stop } = await noopWorkers(connection, taskQueue, {
      ...activities,
      async flaggedSubjects({ roster }) {
        const isDecided = (subject: string) => kept.some((decision) => decision.subject === subject);
        return rowsOf(roster)
          .filter(({ subject, status }) => status === 'done' && !isDecided(subject))
          .map(({ subject }) => ({ subject, why: 'mean framewise displacement 1.9 mm, above 1' }));
      },
      async recordDecision({ decision }) {
        kept.push(decision);
      },
    });
    const cohort = await server.client.workflow.start<typeof cohortWorkflow>('cohortWorkflow', {
      taskQueue,
      workflowId: `${study}/cohort`,
      args: [
        {
          plan: { ...noopPlan(study, 1), gate: 'review' },
          roster: rosterOf(names.map((subject) => ({ subject, status: 'waiting' as const }))),
          controls: { window: 1, paused: false },
          page: 3,
        },
      ],
    });
    const decide = (subject: string) =>
      cohort.executeUpdate<readonly Flagged[], [Verdict]>(VERDICT_UPDATE, {
        args: [{ subject, decision: 'include', reason: 'looked at', who: 'A. Weber' }],
      });
    const waits = async () =>
      (await cohort.query<readonly Flagged[]>(REVIEW_QUERY)).map(({ subject }) => subject);
    const table = async () => rowsOf(await cohort.query<Roster>(TABLE_QUERY));
    // Before anybody asks; whether this run of the workflow or the next takes it.
    await waitFor(async () =>
      (await table()).some((row) => row.subject === 'sub-1' && row.status === 'done'),
    );
    await decide('sub-1');
    await waitFor(async () => (await waits()).length > 0);
    expect(await waits()).toEqual(['sub-2', 'sub-3', 'sub-4']);
    const { runId } = await cohort.describe();
    expect(runId).not.toBe(cohort.firstExecutionRunId);
    await decide('sub-2');
    broken.clear();
    await cohort.executeUpdate('retry', { args: [['sub-5']] });
    await waitFor(async () => (await waits()).includes('sub-5'));
    expect(await waits()).toEqual(['sub-3', 'sub-4', 'sub-5']);
    for (const subject of await waits()) await decide(subject);
    const { counts: n } = await cohort.result();
    expect(n).toEqual(counts(names.map(() => ({ status: 'done' }))));
    expect(kept.map(({ subject }) => subject)).toEqual(['sub-1', 'sub-2', 'sub-3', 'sub-4', 'sub-5']);
    for (const { when } of kept) expect(Math.abs(Date.now() - Date.parse(when))).toBeLessThan(120_000);
    await stop();
    await connection.close();
  });
});
