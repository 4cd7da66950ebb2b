/** Logs of one subject's steps: where they lie, and following one that grows. */
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { readSteps } from '../activities/published.ts';
import type { Beat } from '../activities/run-step.ts';
import { Store } from '../activities/store.ts';
import type { StudySettings } from '../config/study.ts';
import { STEPS_QUERY } from '../pipeline/messages.ts';
import type { StepStatus } from '../workflows/index.ts';
import { lastRows } from './results.ts';

/** One step of a subject that has a log. */
export interface LoggedStep {
  readonly step: string;
  /** `ses-24h`; empty where the record does not tell. */
  readonly session: string;
  readonly key: string;
}

/** Steps of a subject that its workflow knows: finished, failed, and, by their heartbeats, running. */
export async function stepsOfWorkflow(client: Client, study: string, subject: string): Promise<LoggedStep[]> {
  const handle = client.workflow.getHandle(`${study}/${subject}`);
  const known = await handle.query<StepStatus[]>(STEPS_QUERY);
  const ended = known.flatMap(({ step, session, key }) =>
    key === undefined ? [] : [{ step, session, key }],
  );
  const { raw } = await handle.describe();
  const running = (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails }): LoggedStep[] => {
    const payload = heartbeatDetails?.payloads?.[0];
    const beat = payload ? defaultPayloadConverter.fromPayload<Partial<Beat>>(payload) : undefined;
    if (!beat?.key || !beat.place) return [];
    const [session, ...step] = beat.place.split(' ');
    return [{ step: step.join(' '), session, key: beat.key }];
  });
  return [...ended, ...running];
}

/** Steps of a subject's last run, from the outputs: what was published, and the one that failed. */
export async function stepsOfOutputs(study: StudySettings, subject: string): Promise<LoggedStep[]> {
  const records = (await readSteps(study.output, subject)) ?? [];
  const row = (await lastRows(study.output))?.find((one) => one.subject === subject);
  const { step = '', session = '', key } = row?.failure ?? {};
  return [
    ...records.map((record) => ({ step: record.step, session: '', key: record.key })),
    ...(key === undefined ? [] : [{ step, session, key }]),
  ];
}

/** Where the log of a key lies now: of a running, a finished or a failed step. */
async function logOf(work: string, key: string): Promise<{ path: string; growing: boolean } | undefined> {
  const store = new Store(work);
  const places = [
    { path: join(store.scratch(key), 'log.txt'), growing: true },
    { path: join(store.folder(key), 'log.txt'), growing: false },
    { path: join(work, 'failed', key, 'log.txt'), growing: false },
  ];
  for (const place of places)
    if (
      await stat(place.path).then(
        () => true,
        () => false,
      )
    )
      return place;
  return undefined;
}

const POLL_MS = 300;

/** What a file holds from a position on; undefined where it has moved away. */
async function readFrom(path: string, position: number): Promise<Buffer | undefined> {
  const file = await open(path).catch(() => undefined);
  if (!file) return undefined;
  try {
    const buffer = Buffer.alloc(Math.max(1, (await file.stat()).size - position));
    const { bytesRead } = await file.read({ buffer, position });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Hands over a log, and with `follow` what is added to it until its step ends.
 * @returns false where there is no log
 */
export async function printLog(
  work: string,
  key: string,
  follow: boolean,
  write: (text: Buffer) => void,
): Promise<boolean> {
  for (let position = 0; ; ) {
    // A step that ends moves its log; the rest is read in the new place.
    const found = await logOf(work, key);
    if (!found) return position > 0;
    const read = await readFrom(found.path, position);
    if (read === undefined) continue;
    position += read.length;
    if (read.length > 0) write(read);
    else if (follow && found.growing) await sleep(POLL_MS);
    else return true;
  }
}
