import { describe, expect, it } from 'vitest';
import { clock, columns } from '../../cli/output.ts';
import { headline, liveTable, reason, type Snapshot, secondsLeft } from '../../cli/progress.ts';
import type { SubjectRow } from '../../pipeline/roster.ts';
import type { StepStatus } from '../../workflows/index.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences.
const bare = (text: string) => text.replace(/\x1b\[\d+m/g, '');
const step = (step: string, session: string, state: StepStatus['state']): StepStatus => ({
  step,
  session,
  state,
  seconds: 1,
});
const STEPS = ['prepare', 'b0 AP', 'merge dwi', 'topup', 'mcflirt', 'mean', 'bet', 'eddy', 'dtifit'];
const all = (state: StepStatus['state']): StepStatus[] => [
  ...['ses-1', 'ses-2'].flatMap((session) => STEPS.map((name) => step(name, session, state))),
  ...['flirt', 'fsl_reg', 'applywarp ses-1', 'rois'].map((name) => step(name, 'subject', state)),
];
const row = (subject: string, status: SubjectRow['status']): SubjectRow => ({ subject, group: 'g', status });

function snapshot(rows: SubjectRow[], steps: Record<string, StepStatus[]>): Snapshot {
  return { rows, steps: new Map(Object.entries(steps)), sessions: ['ses-1', 'ses-2'] };
}

describe('time left', () => {
  it('is unknown before anything is computed', () => {
    expect(secondsLeft(snapshot([row('sub-01', 'running')], {}), 10)).toBeUndefined();
  });
  it('goes by the pace so far', () => {
    const rows = [row('sub-01', 'done'), row('sub-02', 'waiting'), row('sub-03', 'waiting')];
    expect(secondsLeft(snapshot(rows, { 'sub-01': all('done') }), 60)).toBeCloseTo(120, 6);
  });
  it('does not take reused results for pace', () => {
    const rows = [row('sub-01', 'done'), row('sub-02', 'done'), row('sub-03', 'waiting')];
    expect(secondsLeft(snapshot(rows, { 'sub-01': all('reused'), 'sub-02': all('done') }), 60)).toBeCloseTo(
      60,
      6,
    );
  });
  it('is nothing once all have ended', () => {
    const view = snapshot([row('sub-01', 'done'), row('sub-02', 'failed')], { 'sub-01': all('done') });
    expect(headline(view, 60)).toBe('1 of 2 done, 1 failed · 01:00 gone');
  });
});

describe('live table', () => {
  const view = snapshot([row('sub-01', 'running'), row('sub-02', 'excluded'), row('sub-03', 'waiting')], {
    'sub-01': [
      step('topup', 'ses-1', 'done'),
      step('topup', 'ses-2', 'running'),
      step('eddy', 'ses-1', 'failed'),
    ],
  });
  const lines = liveTable(view, 5, 40, 120).map(bare);

  it('shows a mark per session', () => {
    const header = lines[2];
    const at = (name: string) => lines[3].slice(header.indexOf(name), header.indexOf(name) + 2);
    expect(at('topup')).toBe('●◐');
    expect(at('eddy')).toBe('✗·');
    expect(at('dtifit')).toBe('··');
  });
  it('shows those that run first when there is no room for all', () => {
    const many = Array.from({ length: 200 }, (_, i) => row(`sub-${i}`, i === 150 ? 'running' : 'done'));
    const short = liveTable(snapshot(many, {}), 5, 20, 120).map(bare);
    expect(short.length).toBeLessThanOrEqual(20);
    expect(short.join('\n')).toContain('sub-150');
    expect(short.join('\n')).toContain('more');
  });
});

describe('words', () => {
  it.each([
    [0, '00:00'],
    [61, '01:01'],
    [3723, '1:02:03'],
    [-5, '00:00'],
  ])('%d s is %s', (seconds, text) => expect(clock(seconds)).toBe(text));

  it('aligns columns whatever their colours', () => {
    const lines = columns(
      [
        ['\x1b[32mab\x1b[39m', '1.5'],
        ['abcd', '10.5'],
      ],
      ['name', 'x'],
    ).map(bare);
    expect(lines).toEqual(['name     x', 'ab     1.5', 'abcd  10.5']);
  });

  it('says why, with the code and the place', () => {
    const failure = {
      code: 'TOOL_FAILED' as const,
      message: 'boom',
      remedy: '',
      session: 'ses-1',
      step: 'eddy',
    };
    expect(reason({ ...row('s', 'failed'), failure })).toBe('TOOL_FAILED in ses-1 eddy: boom');
    expect(reason({ ...row('s', 'excluded'), why: 'one session' })).toBe('one session');
  });
});
