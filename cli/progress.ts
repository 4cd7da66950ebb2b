/** How far a cohort is: subjects x stages, counts, time left. Pure: from what workflows answer to lines of text. */
import pc from 'picocolors';
import type { Flagged } from '../pipeline/decisions.ts';
import { counts, type SubjectRow } from '../pipeline/roster.ts';
import type { StepStatus } from '../workflows/index.ts';
import { clock, columns } from './output.ts';

/** A column of the table, and its share of a subject's work (about seconds of the toolkit at 3 mm). */
interface Stage {
  readonly name: string;
  readonly weight: number;
  /** Steps with this beginning belong to the stage. */
  readonly steps: readonly string[];
  /** Once per session, or once per subject. */
  readonly per: 'session' | 'subject';
}

const STAGES: readonly Stage[] = [
  { name: 'inputs', weight: 1, steps: ['prepare', 'b0', 'merge'], per: 'session' },
  { name: 'topup', weight: 5, steps: ['topup'], per: 'session' },
  { name: 'mcflirt', weight: 4, steps: ['mcflirt'], per: 'session' },
  { name: 'mask', weight: 1, steps: ['mean', 'bet'], per: 'session' },
  { name: 'eddy', weight: 8, steps: ['eddy'], per: 'session' },
  { name: 'dtifit', weight: 1, steps: ['dtifit'], per: 'session' },
  { name: 'flirt', weight: 2, steps: ['flirt'], per: 'subject' },
  { name: 'fsl_reg', weight: 10, steps: ['fsl_reg'], per: 'subject' },
  { name: 'warp', weight: 1, steps: ['applywarp'], per: 'subject' },
  { name: 'rois', weight: 1, steps: ['rois'], per: 'subject' },
];

/** A cohort at one moment. */
export interface Snapshot {
  readonly rows: readonly SubjectRow[];
  /** Steps of subjects that run or ran while we watched. */
  readonly steps: ReadonlyMap<string, readonly StepStatus[]>;
  readonly sessions: readonly string[];
  /** Who waits for a verdict before the statistics. */
  readonly awaiting?: readonly Flagged[];
}

const MARK = {
  done: pc.green('●'),
  reused: pc.cyan('●'),
  running: pc.yellow('◐'),
  failed: pc.red('✗'),
} as const;

function stageOf(step: StepStatus): Stage | undefined {
  return STAGES.find((stage) =>
    stage.steps.some((name) => step.step === name || step.step.startsWith(`${name} `)),
  );
}

/** State of a stage in one place: failed before running before done; undefined: not begun. */
function stateOf(steps: readonly StepStatus[]): StepStatus['state'] | undefined {
  for (const state of ['failed', 'running', 'done', 'reused'] as const)
    if (steps.some((step) => step.state === state)) return state;
  return undefined;
}

function cell(stage: Stage, steps: readonly StepStatus[], sessions: readonly string[]): string {
  const mine = steps.filter((step) => stageOf(step) === stage);
  const places = stage.per === 'session' ? sessions.map((s) => mine.filter((m) => m.session === s)) : [mine];
  return places.map((place) => MARK[stateOf(place) as keyof typeof MARK] ?? pc.dim('·')).join('');
}

/** Work of one subject that is done, and that had to be computed rather than reused; of `total`. */
function work(
  steps: readonly StepStatus[],
  sessions: number,
): { done: number; computed: number; total: number } {
  let [done, computed, total] = [0, 0, 0];
  for (const stage of STAGES) {
    const places = stage.per === 'session' ? sessions : 1;
    total += stage.weight * places;
    const mine = steps.filter((step) => stageOf(step) === stage);
    const names = new Set(mine.map((step) => step.session));
    for (const name of names) {
      const state = stateOf(mine.filter((step) => step.session === name));
      if (state !== 'done' && state !== 'reused') continue;
      done += stage.weight / (stage.per === 'session' ? 1 : names.size);
      if (state === 'done') computed += stage.weight / (stage.per === 'session' ? 1 : names.size);
    }
  }
  return { done, computed, total };
}

/**
 * Seconds until the cohort is done, from the work computed so far; undefined while nothing has been.
 * Reused results cost nothing, so they count as done but not towards the pace.
 */
export function secondsLeft(snapshot: Snapshot, elapsed: number): number | undefined {
  let [computed, left] = [0, 0];
  for (const row of snapshot.rows) {
    const own = work(snapshot.steps.get(row.subject) ?? [], snapshot.sessions.length);
    computed += own.computed;
    if (row.status === 'waiting' || row.status === 'running') left += own.total - own.done;
  }
  return computed > 0 ? (elapsed / computed) * left : undefined;
}

/** `3 of 8 done, 2 running, 1 failed · 01:10 gone · about 02:00 left` */
export function headline(snapshot: Snapshot, elapsed: number): string {
  const n = counts(snapshot.rows);
  const included = snapshot.rows.length - n.excluded;
  const words = [`${n.done} of ${included} done`];
  for (const status of ['running', 'waiting', 'failed', 'excluded'] as const)
    if (n[status] > 0) words.push(`${n[status]} ${status}`);
  const left = n.running + n.waiting > 0 ? secondsLeft(snapshot, elapsed) : undefined;
  const times = [`${clock(elapsed)} gone`, ...(left === undefined ? [] : [`about ${clock(left)} left`])];
  return `${words.join(', ')} · ${times.join(' · ')}`;
}

/** Who waits for a verdict, and how it is given; empty where nobody does. */
export function awaitingLines(awaiting: readonly Flagged[] = []): string[] {
  return awaiting.length === 0
    ? []
    : [
        ...awaiting.map(({ subject, why }) => `waiting for a verdict on ${subject}: ${why}`),
        'Verdicts are given with delta-md qc; the statistics come after them.',
      ];
}

/** Why a subject is not done, in one line. */
export function reason({ why, failure }: SubjectRow): string {
  if (why !== undefined) return why;
  if (failure === undefined) return '';
  const place = [failure.session, failure.step].filter(Boolean).join(' ');
  return `${failure.code}${place ? ` in ${place}` : ''}: ${failure.message}`;
}

/** Of those that wait for a verdict, a terminal shows so many lines; delta-md qc lists all. */
const AWAITING_LINES = 6;

/**
 * The live table. With more subjects than `height` lines, those that run or failed are shown first.
 * @param width columns of the terminal; reasons are cut to it
 */
export function liveTable(snapshot: Snapshot, elapsed: number, height: number, width: number): string[] {
  const order = { running: 0, failed: 1, waiting: 2, done: 3, excluded: 4 };
  const room = Math.max(3, height - 6);
  const rows =
    snapshot.rows.length <= room
      ? snapshot.rows
      : [...snapshot.rows].sort((a, b) => order[a.status] - order[b.status]).slice(0, room);
  const body = rows.map((row) => {
    const steps = snapshot.steps.get(row.subject) ?? [];
    return [
      row.subject,
      row.group ?? '',
      ...STAGES.map((stage) => (row.status === 'excluded' ? ' ' : cell(stage, steps, snapshot.sessions))),
      row.status === 'done' ? pc.green('done') : row.status === 'failed' ? pc.red('failed') : row.status,
      pc.dim(reason(row).slice(0, Math.max(20, width - 110))),
    ];
  });
  const hidden = snapshot.rows.length - rows.length;
  return [
    headline(snapshot, elapsed),
    '',
    ...columns(body, ['subject', 'group', ...STAGES.map((s) => s.name), 'status', '']),
    ...(hidden > 0 ? [pc.dim(`and ${hidden} more`)] : []),
    ...awaitingLines(snapshot.awaiting).slice(-AWAITING_LINES),
    '',
    pc.dim(
      `each mark is a session: ${MARK.done} done  ${MARK.reused} reused  ${MARK.running} running  ${MARK.failed} failed`,
    ),
  ];
}
