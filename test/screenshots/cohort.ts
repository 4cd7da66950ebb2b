/**
 * A cohort to be photographed: 40 subjects whose steps do nothing but take their time. Some have failed, each in
 * another way; some are held in the middle of a step, the rest waits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities/index.ts';
import { asApplicationFailure } from '../../activities/interceptor.ts';
import type { Beat } from '../../activities/run-step.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { type Roster, rosterOf } from '../../pipeline/roster.ts';
import { type StudyPlan, sessionName } from '../../pipeline/study.ts';
import { noopActivities, noopPlan } from '../integration/noop.ts';

export const STUDY_NAME = 'ketamine';
const PLACES = { studyFile: '/data/ketamine/study.yaml', work: '/data/ketamine/work' };
const SUBJECTS = 40;
const subject = (n: number) => `sub-${String(n).padStart(2, '0')}`;

export const roster: Roster = rosterOf(
  Array.from({ length: SUBJECTS }, (_, i) => {
    const row = { subject: subject(i + 1), group: i % 3 === 0 ? 'vehicle' : 'ketamine' };
    return i === 15
      ? { ...row, status: 'excluded' as const, why: 'no ses-24h in the BIDS folder' }
      : { ...row, status: 'waiting' as const };
  }),
);

const usual = noopPlan(STUDY_NAME, 8);
export const plan: StudyPlan = {
  ...usual,
  ...PLACES,
  sessions: { baseline: 'baseline', followup: '24h' },
  profile: { ...usual.profile, name: 'fsl-5.0' },
};

/** Subjects that are held at eddy, so that there is something under way to be seen. */
const HELD_FROM = 30;
/** Seconds that a tool takes: thousandths of what it takes in life. */
const SECONDS: Readonly<Record<string, number>> = {
  topup: 0.9,
  eddy: 1.6,
  dtifit: 0.3,
  fsl_reg: 0.7,
  bet: 0.1,
};

const KEY = '4f1d8a6c0b7e2935d1c86fa94e07b253a9d0c4187f6be32d5a10984c7e63fb12';

/** What strikes whom, and where. @param memoryMiB what the step was allowed */
function failure(id: string, place: string, memoryMiB: number): DeltaMdError | undefined {
  switch (`${id} ${place}`) {
    case 'sub-07 ses-24h eddy':
      return new DeltaMdError('TOOL_FAILED', 'eddy ended with exit code 1: volume 17 holds no brain', {
        key: KEY,
        log: `[ 12 %] iteration 1 of 5\nvolume 17: mean signal 0.3 of 412.6 expected\neddy: volume 17 holds no brain\n(all of it: ${PLACES.work}/failed/${KEY}/log.txt)`,
      });
    case 'sub-12 ses-24h prepare':
      return new DeltaMdError(
        'INPUT_MISSING',
        'no set with phase encoding PA in /data/ketamine/bids/sub-12/ses-24h/dwi',
      );
    case 'sub-19 ses-baseline eddy':
      return new DeltaMdError('OUT_OF_MEMORY', `eddy needed more than ${memoryMiB} MiB`, { key: KEY });
    case 'sub-23 subject fsl_reg':
      return new DeltaMdError('TIMED_OUT', 'fsl_reg took longer than 120 minutes', { key: KEY });
    default:
      return undefined;
  }
}

/** Activities of this cohort. `release` lets those held go on. */
export function stagedActivities(): { activities: Activities; release: () => void } {
  const { activities } = noopActivities();
  let release = () => {};
  const released = new Promise<void>((done) => {
    release = done;
  });
  const staged: Activities = {
    ...activities,
    async prepareSession(input) {
      const failed = failure(input.subject, `${sessionName(input.session)} prepare`, 0);
      if (failed) throw asApplicationFailure(failed);
      return activities.prepareSession(input);
    },
    async runStep(input) {
      const { run, place } = input;
      const context = Context.current();
      const id = context.info.workflowExecution?.workflowId.split('/')[1] ?? '';
      const number = Number(id.slice(4));
      if (run.name === 'eddy' && number >= HELD_FROM) {
        const percent = 10 + ((number * 37 + place.length * 11) % 80);
        const beat: Beat = {
          place,
          key: KEY,
          percent,
          line: `[ ${percent} %] iteration ${Math.ceil(percent / 20)} of 5: largest movement 0.31 mm`,
        };
        const beating = setInterval(() => context.heartbeat(beat), 1000);
        await Promise.race([released, context.cancelled]).finally(() => clearInterval(beating));
      }
      const seconds = SECONDS[run.name] ?? 0.05;
      await sleep(seconds * 1000);
      const failed = failure(id, place, run.resources.memoryMiB);
      if (failed) throw asApplicationFailure(failed);
      return { ...(await activities.runStep(input)), seconds: Math.round(seconds * 1000) };
    },
  };
  return { activities: staged, release: () => release() };
}
