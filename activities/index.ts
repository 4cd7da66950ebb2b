/** Every activity: the side effects that workflows order. Arguments and results are paths, hashes and small numbers. */
import { Context } from '@temporalio/activity';
import type { Decision, Flagged } from '../pipeline/decisions.ts';
import type { PreparedSession, SubjectMaps } from '../pipeline/protocol.ts';
import { type Roster, rowsOf } from '../pipeline/roster.ts';
import type { StepRun } from '../pipeline/step.ts';
import type { RuntimeChoice, StudyPlan } from '../pipeline/study.ts';
import { type Look, takeArrivals } from './arrivals.ts';
import { type AuditRequest, exportAudit } from './audit.ts';
import { Exchange } from './exchange.ts';
import { finishCohort, type GroupResult } from './finish.ts';
import { studyIn, studyOf } from './plan.ts';
import { prepareSession } from './prepare.ts';
import { publishSubject, resultsOf } from './publish.ts';
import type { SubjectSummary } from './published.ts';
import { recordDecision } from './qc/decisions.ts';
import { awaiting, standings } from './qc/standing.ts';
import { type Recalled, recallSubject } from './recall.ts';
import { runStep, type StepHost, type StepResult } from './run-step.ts';
import { runtimeFor } from './runtimes.ts';
import { storageAt } from './storage/storage.ts';

export type { GroupResult } from './finish.ts';
export type { SubjectSummary } from './published.ts';
export type { Recalled } from './recall.ts';
export type { StepResult } from './run-step.ts';

const HEARTBEAT_MS = 5000;

/** Keeps the heartbeat going while `work` runs. */
async function beating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

const exchanges = new Map<string, Exchange>();

/** Between this worker's folder and a study's storage; without a storage the folder is common. */
async function exchangeFor({ work, storage }: { work: string; storage?: string }): Promise<Exchange> {
  const name = JSON.stringify([work, storage]);
  let exchange = exchanges.get(name);
  if (!exchange) {
    exchange = new Exchange(work, storage === undefined ? undefined : await storageAt(storage));
    exchanges.set(name, exchange);
  }
  return exchange;
}

/** @param version of delta-md, for records and reports @param host what steps share on this worker */
export function createActivities(version: string, host: StepHost) {
  return {
    /** Runs one step, or takes its result from the store. */
    async runStep({
      run,
      work,
      storage,
      runtime,
      place,
    }: {
      run: StepRun;
      work: string;
      storage?: string;
      runtime: RuntimeChoice;
      /** Session and step, for whoever watches. */
      place: string;
    }): Promise<StepResult> {
      const exchange = await exchangeFor({ work, storage });
      return runStep(run, work, exchange, await runtimeFor(runtime), place, host);
    },

    /** Finds and checks the inputs of one session. */
    async prepareSession({
      plan,
      subject,
      session,
    }: {
      plan: StudyPlan;
      subject: string;
      session: string | null;
    }): Promise<PreparedSession> {
      return beating(async () => {
        const prepared = await prepareSession(plan, subject, session);
        await (await exchangeFor(plan)).offer([prepared, plan.template]);
        return prepared;
      });
    },

    /** Finds a subject that is done already; null for any other. */
    async recallSubject({ plan, subject }: { plan: StudyPlan; subject: string }): Promise<Recalled | null> {
      return beating(async () => recallSubject(await studyOf(plan), plan, subject, version));
    },

    /** Averages MD by region and writes a subject's outputs. */
    async publishSubject({
      plan,
      subject,
      maps,
    }: {
      plan: StudyPlan;
      subject: string;
      maps: SubjectMaps;
    }): Promise<SubjectSummary> {
      const context = Context.current();
      return beating(async () => {
        const exchange = await exchangeFor(plan);
        const brought = await exchange.bringAll(maps);
        await exchange.bringRecords(resultsOf(brought));
        return publishSubject(await studyOf(plan), plan, subject, brought, version, () =>
          context.heartbeat(),
        );
      });
    },

    /** Starts subjects whose scans have come. */
    async takeArrivals({
      studyFile,
      work,
      taskQueue,
    }: {
      studyFile: string;
      work: string;
      taskQueue: string;
    }): Promise<Look> {
      const { client } = Context.current();
      return beating(async () => takeArrivals(await studyIn(studyFile, work), client, taskQueue));
    },

    /** Keeps what Temporal knows of a run beside the outputs. */
    async exportAudit({ plan, ...request }: { plan: StudyPlan } & AuditRequest): Promise<string> {
      const context = Context.current();
      return beating(async () =>
        exportAudit(await studyOf(plan), context.client, request, () => context.heartbeat()),
      );
    },

    /** Finished subjects that quality control flags and nobody has decided on. */
    async flaggedSubjects({ plan, roster }: { plan: StudyPlan; roster: Roster }): Promise<Flagged[]> {
      const done = rowsOf(roster).filter(({ status }) => status === 'done');
      return beating(async () =>
        awaiting(
          await standings(
            await studyOf(plan),
            done.map(({ subject }) => subject),
          ),
        ),
      );
    },

    /** Keeps a person's decision beside the outputs. */
    async recordDecision({ plan, decision }: { plan: StudyPlan; decision: Decision }): Promise<void> {
      return beating(async () => recordDecision(await studyOf(plan), decision));
    },

    /** Tables, statistics and report of a cohort. */
    async finishCohort({ plan, roster }: { plan: StudyPlan; roster: Roster }): Promise<GroupResult> {
      const context = Context.current();
      return beating(async () =>
        finishCohort(await studyOf(plan), rowsOf(roster), version, () => context.heartbeat()),
      );
    },
  };
}

export type Activities = ReturnType<typeof createActivities>;
