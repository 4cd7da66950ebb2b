/**
 * The audit trail: what Temporal knows of a run, kept beside the outputs before the server forgets it. For the cohort and
 * each subject its history as the server keeps it, and a table people can read: for a subject every step with its tries,
 * worker, command, tool and result; for the cohort every decision somebody took while it ran.
 *
 *   <output>/logs/audit/<run>/sub-01_<run>.history.json.gz   sub-01_<run>_steps.tsv
 *                             cohort_<run>.history.json.gz   cohort_<run>_decisions.tsv
 */
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Study } from '../config/study.ts';
import { tsv, writeInto } from './derivatives.ts';
import type { Recalled } from './recall.ts';
import type { StepResult } from './run-step.ts';
import { type StepRecord, Store } from './store.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type Event = NonNullable<History['events']>[number];
type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];
type Row = Readonly<Record<string, unknown>>;

const STEP_COLUMNS = [
  'scheduled',
  'started',
  'ended',
  'place',
  'tries',
  'worker',
  'queue',
  'outcome',
  'reused',
  'seconds',
  'key',
  'tool',
  'digest',
  'host',
  'peak_memory_mib',
  'command',
];
const DECISION_COLUMNS = ['time', 'who', 'what', 'arguments', 'answer'];

const compress = promisify(gzip);

/** ISO 8601 of an event's time; nothing where it did not happen. */
function timeOf(event: Event | undefined): string | undefined {
  const time = event?.eventTime;
  if (!time) return undefined;
  return new Date(Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6).toISOString();
}

const commandLine = (argv: readonly string[] | undefined) =>
  argv?.map((word) => JSON.stringify(word)).join(' ');

/** Every activity of a history, and every step that was found done: what was asked, how it ended, and the record of what it made. */
async function steps(events: readonly Event[], client: Client, store: Store): Promise<Row[]> {
  const decode = (payloads: Payloads) =>
    decodeArrayFromPayloads(client.options.loadedDataConverter, payloads);
  const started = new Map<string, Event>();
  const ended = new Map<string, { event: Event; outcome: string; result?: Payloads }>();
  for (const event of events) {
    const begun = event.activityTaskStartedEventAttributes;
    if (begun) started.set(String(begun.scheduledEventId), event);
    const { activityTaskCompletedEventAttributes: done, activityTaskFailedEventAttributes: failed } = event;
    const { activityTaskTimedOutEventAttributes: late, activityTaskCanceledEventAttributes: cancelled } =
      event;
    const of = done ?? failed ?? late ?? cancelled;
    if (!of) continue;
    const outcome = done
      ? 'done'
      : failed
        ? `failed: ${failed.failure?.applicationFailureInfo?.type} ${failed.failure?.message}`
        : late
          ? 'timed out'
          : 'cancelled';
    ended.set(String(of.scheduledEventId), { event, outcome, result: done?.result?.payloads });
  }
  const rows: Row[] = [];
  for (const event of events) {
    const asked = event.activityTaskScheduledEventAttributes;
    if (!asked) continue;
    const id = String(event.eventId);
    const begun = started.get(id)?.activityTaskStartedEventAttributes;
    const end = ended.get(id);
    const [argument] = (await decode(asked.input?.payloads)) as [
      { place?: string; run?: { argv: string[] } },
    ];
    const [result] = (await decode(end?.result)) as [(Partial<StepResult> & Partial<Recalled>) | undefined];
    const record = result?.key === undefined ? undefined : await store.look(result.key);
    const of = (record: StepRecord | undefined) => ({
      tool: record?.tool.version,
      digest: record?.tool.digest,
      host: record?.host,
      peak_memory_mib: record?.peakMemoryMiB,
    });
    rows.push({
      scheduled: timeOf(event),
      started: timeOf(started.get(id)),
      ended: timeOf(end?.event),
      place: argument?.place ?? asked.activityType?.name,
      tries: begun?.attempt,
      worker: begun?.identity,
      queue: asked.taskQueue?.name,
      outcome: end?.outcome ?? 'not ended',
      reused: result?.reused,
      seconds: result?.seconds,
      key: result?.key,
      ...of(record),
      command: commandLine(argument?.run?.argv),
    });
    for (const { where, label, key, seconds } of result?.steps ?? []) {
      const recalled = await store.look(key);
      rows.push({
        place: `${where} ${label}`,
        outcome: 'done',
        reused: true,
        seconds,
        key,
        ...of(recalled),
        command: commandLine(recalled?.argv),
      });
    }
  }
  return rows;
}

/** Every update of a cohort: who paused, widened or retried, and what the answer was. */
async function decisions(events: readonly Event[], client: Client): Promise<Row[]> {
  const decode = async (payloads: Payloads) =>
    JSON.stringify(await decodeArrayFromPayloads(client.options.loadedDataConverter, payloads));
  const answers = new Map<string, string>();
  for (const { workflowExecutionUpdateCompletedEventAttributes: end } of events)
    if (end)
      answers.set(
        String(end.acceptedEventId),
        end.outcome?.failure?.message ?? (await decode(end.outcome?.success?.payloads)),
      );
  const rows: Row[] = [];
  for (const event of events) {
    const request = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
    if (!request) continue;
    rows.push({
      time: timeOf(event),
      who: request.meta?.identity,
      what: request.input?.name,
      arguments: await decode(request.input?.args?.payloads),
      answer: answers.get(String(event.eventId)),
    });
  }
  return rows;
}

/** Which histories to export: some subjects of a run, and the cohort's own so far. */
export interface AuditRequest {
  /** Id that all runs of one cohort share, however often it continued as new. */
  readonly run: string;
  /** Of the cohort's present run. */
  readonly part: string;
  /** Every run of a subject's workflow: one that was sent again has several. */
  readonly subjects: readonly { readonly subject: string; readonly run: string }[];
}

/**
 * Exports histories and their tables. @param beat called between subjects
 * @returns folder of the run's audit trail
 */
export async function exportAudit(
  study: Study,
  client: Client,
  { run, part, subjects }: AuditRequest,
  beat: () => void,
): Promise<string> {
  const folder = join(study.output, 'logs', 'audit', run);
  const store = new Store(study.work);
  const fetch = async (workflowId: string, name: string, runId: string): Promise<readonly Event[]> => {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    await writeInto(join(folder, `${name}.history.json.gz`), await compress(historyToJSON(history)));
    return history.events ?? [];
  };
  for (const one of subjects) {
    beat();
    const name = `${one.subject}_${one.run}`;
    const events = await fetch(`${study.study}/${one.subject}`, name, one.run);
    await writeInto(join(folder, `${name}_steps.tsv`), tsv(STEP_COLUMNS, await steps(events, client, store)));
  }
  // A long cohort is several runs; each has files of its own.
  const name = `cohort_${part}`;
  const events = await fetch(`${study.study}/cohort`, name, part);
  await writeInto(
    join(folder, `${name}_decisions.tsv`),
    tsv(DECISION_COLUMNS, await decisions(events, client)),
  );
  return folder;
}
