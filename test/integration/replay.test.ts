/**
 * Workflow code is deterministic: histories of earlier runs replay on today's code. New histories are recorded with
 *   RECORD_HISTORIES=1 npx vitest run test/integration/replay.test.ts
 * and kept beside the old ones, so that a running cohort survives an upgrade of its workers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../cli/version.ts';
import { delay, makeStudy, removeStudy, start, waitFor, writeSet } from './harness.ts';

const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));
const BUNDLE = { codePath: fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url)) };
const files = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

const load = (name: string) => JSON.parse(readFileSync(join(HISTORIES, name), 'utf8'));
const replay = (json: unknown, id: string) =>
  Worker.runReplayHistory({ workflowBundle: BUNDLE }, historyFromJSON(json), id);

describe.skipIf(process.env['RECORD_HISTORIES'])('replay', () => {
  it('has histories of a cohort and of a subject, finished and failed', () => {
    for (const kind of ['cohort', 'subject-done', 'subject-failed'])
      expect(
        files.some((name) => name.startsWith(kind)),
        kind,
      ).toBe(true);
  });

  it.each(files)('%s', async (name) => {
    await expect(replay(load(name), name)).resolves.toBeUndefined();
  });

  it('notices code that orders other work than the history says', async () => {
    const name = files.find((file) => file.startsWith('subject-done')) as string;
    const history = load(name);
    const scheduled = history.events.filter((event: { eventType: string }) =>
      event.eventType.endsWith('ACTIVITY_TASK_SCHEDULED'),
    );
    expect(scheduled.length).toBeGreaterThan(20);
    scheduled[0].activityTaskScheduledEventAttributes.activityType.name = 'somethingElse';
    await expect(replay(history, name)).rejects.toThrow(DeterminismViolationError);
  });
});

describe.runIf(process.env['RECORD_HISTORIES'])('recording', () => {
  it('a cohort with one failing subject', async () => {
    const study = await makeStudy(3);
    await writeSet(study, 'sub-03', 'post', 'AP', 666);
    await delay(study, { fsl_reg: 500 });
    const run = start('run', study.file);
    const serverFile = join(study.work, 'temporal', 'server.json');
    await waitFor(() =>
      readFile(serverFile).then(
        () => true,
        () => false,
      ),
    );
    const { address } = JSON.parse(await readFile(serverFile, 'utf8'));
    const client = new Client({ connection: await Connection.connect({ address, connectTimeout: 30_000 }) });
    const wanted = {
      'test/sub-01': 'subject-done',
      'test/sub-03': 'subject-failed',
      'test/cohort': 'cohort',
    };
    for (const [id, kind] of Object.entries(wanted)) {
      const handle = client.workflow.getHandle(id);
      await waitFor(async () => (await handle.describe().catch(() => undefined))?.status.name === 'RUNNING');
      await handle.result().catch(() => {});
      await writeFile(join(HISTORIES, `${kind}-${VERSION}.json`), historyToJSON(await handle.fetchHistory()));
    }
    await run.ended;
    await removeStudy(study);
  });
});
