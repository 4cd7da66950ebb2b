/** Every activity: the side effects that workflows order. Arguments and results are paths, hashes and small numbers. */
import { Context } from '@temporalio/activity';
import type { PreparedSession, SubjectMaps } from '../pipeline/protocol.ts';
import { type Roster, rowsOf } from '../pipeline/roster.ts';
import type { StepRun } from '../pipeline/step.ts';
import type { RuntimeChoice, StudyPlan } from '../pipeline/study.ts';
import { type Look, takeArrivals } from './arrivals.ts';
import { type AuditRequest, exportAudit } from './audit.ts';
import { finishCohort, type GroupResult } from './finish.ts';
import { studyIn, studyOf } from './plan.ts';
import { prepareSession } from './prepare.ts';
import { publishSubject, type SubjectSummary } from './publish.ts';
import { runStep, type StepHost, type StepResult } from './run-step.ts';
import { runtimeFor } from './runtimes.ts';

export type { GroupResult } from './finish.ts';
export type { SubjectSummary } from './publish.ts';
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

/** @param version of delta-md, for records and reports @param host what steps share on this worker */
export function createActivities(version: string, host: StepHost) {
  return {
    /** Runs one step, or takes its result from the store. */
    async runStep({
      run,
      work,
      runtime,
      place,
    }: {
      run: StepRun;
      work: string;
      runtime: RuntimeChoice;
      /** Session and step, for whoever watches. */
      place: string;
    }): Promise<StepResult> {
      return runStep(run, work, await runtimeFor(runtime), place, host);
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
      return beating(() => prepareSession(plan, subject, session));
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
      return beating(async () =>
        publishSubject(await studyOf(plan), plan, subject, maps, version, () => context.heartbeat()),
      );
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
      return beating(async () => takeArrivals({ ...(await studyIn(studyFile)), work }, client, taskQueue));
    },

    /** Keeps what Temporal knows of a run beside the outputs. */
    async exportAudit({ plan, ...request }: { plan: StudyPlan } & AuditRequest): Promise<string> {
      const context = Context.current();
      return beating(async () =>
        exportAudit(await studyOf(plan), context.client, request, () => context.heartbeat()),
      );
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
