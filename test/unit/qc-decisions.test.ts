/** qc.tsv: what people write is kept as it is, what cannot be meant is told with its line, nothing is ever lost. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  decisionsPath,
  lastDecisions,
  readDecisions,
  recordDecision,
} from '../../activities/qc/decisions.ts';
import { type Decision, tidied, whyRefused } from '../../pipeline/decisions.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { type QcStudy, qcStudy } from '../fixtures/qc-study.ts';

const HEAD = 'participant_id\tsession\tdecision\treason\twho\twhen';
const FIGURES = { pre: { mean_fd: 0.1 }, post: { mean_fd: 0.1 } };

const decision = (change: Partial<Decision> = {}): Decision => ({
  subject: 'sub-01',
  decision: 'exclude',
  reason: 'moved',
  who: 'A. Weber',
  when: '2026-03-31T14:05:00.000Z',
  ...change,
});

let at: QcStudy;
beforeEach(async () => {
  at = await qcStudy({ 'sub-01': FIGURES, 'sub-02': FIGURES, 'sub-10': FIGURES });
});
afterEach(() => at.remove());

const text = () => readFile(decisionsPath(at.study), 'utf8');
const write = (...lines: string[]) => writeFile(decisionsPath(at.study), `${lines.join('\n')}\n`);
const failureOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(DeltaMdError);
  return (error as DeltaMdError).failure;
};

describe('the file', () => {
  it('is not needed', async () => expect(await readDecisions(at.study)).toEqual([]));

  it('keeps the history; the last line of a subject counts', async () => {
    const all = [
      decision(),
      decision({ subject: 'sub-02', session: 'post' }),
      decision({ decision: 'include', reason: 'only the neck', when: '2026-04-01T08:00:00.000Z' }),
    ];
    for (const one of all) await recordDecision(at.study, one);
    expect(await readDecisions(at.study)).toEqual(all);
    expect([...lastDecisions(all).values()]).toEqual([all[2], all[1]]);
    expect(await text()).toBe(
      [
        HEAD,
        'sub-01\tn/a\texclude\tmoved\tA. Weber\t2026-03-31T14:05:00.000Z',
        'sub-02\tpost\texclude\tmoved\tA. Weber\t2026-03-31T14:05:00.000Z',
        'sub-01\tn/a\tinclude\tonly the neck\tA. Weber\t2026-04-01T08:00:00.000Z',
        '',
      ].join('\n'),
    );
  });

  it('told the same again, as by a retry, adds nothing', async () => {
    await recordDecision(at.study, decision());
    await recordDecision(at.study, decision());
    expect(await readDecisions(at.study)).toHaveLength(1);
  });

  it('loses nothing where several write at once, and leaves nothing behind', async () => {
    const minutes = Array.from({ length: 8 }, (_, i) => `2026-03-31T14:0${i}:00Z`);
    await Promise.all(minutes.map((when) => recordDecision(at.study, decision({ when }))));
    expect((await readDecisions(at.study)).map(({ when }) => when).sort()).toEqual(minutes);
    expect((await readdir(at.study.output)).filter((name) => name.includes('qc')).sort()).toEqual([
      'qc.json',
      'qc.tsv',
    ]);
  });

  it('keeps what people added: columns of their own, in their order, and Windows line ends', async () => {
    const before = `when\twho\tcomment\treason\tdecision\tsession\tparticipant_id\r\n2026-03-30\tB\tsee mail\told\texclude\tn/a\tsub-02`;
    await writeFile(decisionsPath(at.study), before);
    await recordDecision(at.study, decision());
    expect(await text()).toBe(
      `${before}\r\n2026-03-31T14:05:00.000Z\tA. Weber\tn/a\tmoved\texclude\tn/a\tsub-01\r\n`,
    );
    expect(await readDecisions(at.study)).toHaveLength(2);
  });
});

describe('what people write by hand', () => {
  const good = 'sub-01\tn/a\texclude\tmoved\tA. Weber\t2026-03-31';
  it.each([
    ['an unknown decision', 'sub-02\tn/a\texlude\tmoved\tA\t2026-03-31', /exlude/, /Did you mean "exclude"/],
    ['an unknown subject', 'sub-1O\tn/a\texclude\tmoved\tA\t2026-03-31', /sub-1O/, /Did you mean "sub-10"/],
    ['no subject', 'sub-../../etc\tn/a\texclude\tmoved\tA\t2026-03-31', /no subject/, /./],
    ['no reason', 'sub-02\tn/a\texclude\tn/a\tA\t2026-03-31', /reason/, /./],
    ['nobody', 'sub-02\tn/a\texclude\tmoved\t\t2026-03-31', /reviewer/, /./],
    [
      'a time as spreadsheets write it',
      'sub-02\tn/a\texclude\tmoved\tA\t31.03.2026',
      /31\.03\.2026/,
      /2026-03-31T/,
    ],
    ['a day that is none', 'sub-02\tn/a\texclude\tmoved\tA\t2026-02-30', /2026-02-30/, /./],
    ['a session that is none', 'sub-02\t../x\texclude\tmoved\tA\t2026-03-31', /session/, /./],
    ['a value too few', 'sub-02\texclude\tmoved\tA\t2026-03-31', /5 values for 6 columns/, /tab/],
  ])('%s is told with its line', async (_, line, message, remedy) => {
    await write(HEAD, good, line);
    const failure = await failureOf(readDecisions(at.study));
    expect(failure.code).toBe('CONFIG_INVALID');
    expect(failure.message).toMatch(message);
    expect(failure.message).toContain('qc.tsv, line 3: ');
    expect(failure.message).not.toContain('line 2');
    expect(failure.remedy).toMatch(remedy);
  });

  it('every wrong line is told at once, and nothing is added to a file that is wrong', async () => {
    await write(HEAD, 'sub-99\tn/a\texclude\tx\tA\t2026-03-31', good, 'sub-01\tn/a\tmaybe\tx\tA\t2026-03-31');
    const { message } = await failureOf(recordDecision(at.study, decision()));
    expect(message).toContain('line 2');
    expect(message).toContain('line 4');
    expect((await text()).split('\n')).toHaveLength(5);
  });

  it('a missing column is told, with the one that was meant', async () => {
    await write(HEAD.replace('reason', 'reasons'), good);
    const failure = await failureOf(readDecisions(at.study));
    expect(failure.message).toContain('line 1: there is no column "reason"');
    expect(failure.remedy).toContain('reasons');
  });
});

describe('words from outside', () => {
  it('refuses subjects that the study does not have', async () => {
    const failure = await failureOf(recordDecision(at.study, decision({ subject: 'sub-77' })));
    expect(failure.message).toContain('sub-77');
    expect(await readdir(at.study.output)).not.toContain('qc.tsv');
  });

  it.each([
    [{ reason: '' }, /reason/],
    [{ reason: ' \t\n ' }, /reason/],
    [{ reason: 'n/a' }, /reason/],
    [{ reason: undefined as unknown as string }, /reason/],
    [{ reason: 'x'.repeat(1001) }, /1000/],
    [{ who: '\u0000' }, /reviewer/],
    [{ decision: 'constructor' as 'include' }, /no decision/],
    [{ subject: '01' }, /no subject/],
    [{ subject: ['sub-01'] as unknown as string }, /no subject/],
    [{ session: 'a b' }, /session/],
  ])('%j is refused', (change, why) => {
    expect(whyRefused(tidied(decision(change as Partial<Decision>)))).toMatch(why);
  });

  it('any reason and name that is taken comes back as one line of the table', async () => {
    const words = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.constantFrom(
        '"',
        '"quoted" at the start',
        'a\tb\r\nc\u2028d',
        '\u001b[31mred',
        "=cmd|' /C calc'!A0",
        '#',
        '\\',
      ),
    );
    await fc.assert(
      fc.asyncProperty(words, words, async (reason, who) => {
        const taken = { ...tidied(decision({ reason, who })), when: '2026-03-31T14:05:00Z' };
        fc.pre(whyRefused(taken) === undefined);
        await recordDecision(at.study, taken);
        expect((await readDecisions(at.study)).at(-1)).toEqual(taken);
        expect(await text()).not.toMatch(/[^\P{Cc}\t\n]/u);
      }),
      { numRuns: 60 },
    );
    expect(await readdir(join(at.study.output))).toContain('qc.tsv');
  });
});
