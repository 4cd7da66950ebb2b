/** Activities that do nothing, for tests of the engine alone: every step is done at once, and counted. */
import { resolve } from 'node:path';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Activities, StepResult } from '../../activities/index.ts';
import { asApplicationFailure } from '../../activities/interceptor.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import type { PreparedSession } from '../../pipeline/protocol.ts';
import { queueOf, RESOURCE_CLASSES } from '../../pipeline/resources.ts';
import { rosterOf } from '../../pipeline/roster.ts';
import type { FileRef, StepRun } from '../../pipeline/step.ts';
import type { StudyPlan } from '../../pipeline/study.ts';

const file = (path: string): FileRef => ({ path, sha256: path });

/** What was called, and how often. */
export interface Tally {
  readonly prepared: Map<string, number>;
  readonly published: Map<string, number>;
  steps: number;
}

/** @param isBroken true for a subject that fails, asked each time it is prepared */
export function noopActivities(isBroken: (subject: string) => boolean = () => false): {
  activities: Activities;
  tally: Tally;
} {
  const tally: Tally = { prepared: new Map(), published: new Map(), steps: 0 };
  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  const activities: Activities = {
    async prepareSession({
      subject,
      session,
    }: {
      subject: string;
      session: string | null;
    }): Promise<PreparedSession> {
      count(tally.prepared, `${subject} ${session}`);
      if (isBroken(subject))
        throw asApplicationFailure(new DeltaMdError('INPUT_MISSING', `${subject} has no PA set`));
      const of = (name: string) => file(`/${subject}/${session}/${name}`);
      return {
        session,
        b0Runs: [{ image: of('ap.nii.gz'), first: 0, count: 1, label: 'b0s AP' }],
        dwi: [of('dwi.nii.gz')],
        topup: true,
        acqparamsB0: of('b0.txt'),
        acqparams: of('acqp.txt'),
        index: of('index.txt'),
        bvals: of('bvals'),
        bvecs: of('bvecs'),
        notes: [],
      };
    },
    recallSubject: async () => null,
    async runStep({ run }: { run: StepRun }): Promise<StepResult> {
      tally.steps++;
      const outputs = Object.fromEntries(
        Object.keys(run.outputs).map((key) => [key, file(`/${run.name}/${key}.nii.gz`)]),
      );
      return { key: run.name, outputs, reused: false, seconds: 1 };
    },
    async publishSubject({ subject }: { subject: string }) {
      count(tally.published, subject);
      return { sessions: 2, flagged: [], notes: [] };
    },
    async takeArrivals() {
      return { plan: noopPlan('none', 1), roster: rosterOf([]), started: [] };
    },
    async exportAudit() {
      return '/audit';
    },
    async finishCohort() {
      return { report: '/report.html', roiTable: '/rois.tsv' };
    },
  };
  return { activities, tally };
}

/** Workers of every class on one queue, with these activities; settles `stopped` once `stop` was called. */
export async function noopWorkers(
  connection: NativeConnection,
  taskQueue: string,
  activities: Activities,
  options: Pick<WorkerOptions, 'sinks' | 'maxHeartbeatThrottleInterval'> = {},
): Promise<{ stop: () => Promise<void>; stopped: Promise<unknown> }> {
  const workers = await Promise.all(
    RESOURCE_CLASSES.map((resourceClass) =>
      Worker.create({
        connection,
        taskQueue: queueOf(taskQueue, resourceClass),
        ...(resourceClass === 'light'
          ? { workflowBundle: { codePath: resolve('dist/workflow-bundle.js') } }
          : {}),
        activities,
        maxConcurrentActivityTaskExecutions: 40,
        stickyQueueScheduleToStartTimeout: '2s',
        ...options,
      }),
    ),
  );
  const stopped = Promise.all(workers.map((worker) => worker.run()));
  return {
    stopped,
    async stop() {
      for (const worker of workers) worker.shutdown();
      await stopped;
    },
  };
}

/** A plan that no file stands behind. */
export function noopPlan(study: string, subjectsAtOnce: number): StudyPlan {
  return {
    study,
    studyFile: '/study.yaml',
    work: '/work',
    sessions: { baseline: 'pre', followup: 'post' },
    directions: ['AP', 'PA'],
    profile: {
      name: 'toolkit',
      summary: '',
      motion: 'resample',
      mcflirtFlags: [],
      betFraction: 0.3,
      eddyFlags: [],
      dtifitFlags: ['--wls'],
      flirtFlags: [],
    },
    template: file('/template.nii.gz'),
    runtime: { kind: 'process' },
    retries: { toolRetries: 1, memoryLimitMiB: 4096 },
    cpus: 1,
    memoryMiB: 1024,
    timeFactor: 1,
    subjectsAtOnce,
  };
}
