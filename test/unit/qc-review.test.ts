/** `delta-md qc`: the table, decisions from the command line, and the review page with its locks. */
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { decisionsPath } from '../../activities/qc/decisions.ts';
import { publishedSubjects, type Standing, standings } from '../../activities/qc/standing.ts';
import { register } from '../../cli/commands/qc.ts';
import { CommandError } from '../../cli/exit-codes.ts';
import { decide } from '../../cli/review.ts';
import { type Review, reviewServer } from '../../cli/review-page.ts';
import { loadStudy } from '../../config/load.ts';
import { type QcStudy, qcStudy } from '../fixtures/qc-study.ts';

const GOOD = { mean_fd: 0.2, qc_outliers_tot: 0 };
const SUBJECTS = {
  'sub-01': { pre: GOOD, post: GOOD, pair: { gain_drift: 1 } },
  'sub-02': { pre: GOOD, post: { mean_fd: 1.9, qc_outliers_tot: 12 }, pair: { gain_drift: 1 } },
  'sub-03': { pre: GOOD, post: GOOD, pair: { gain_drift: 9 } },
};

let at: QcStudy;
beforeAll(async () => {
  at = await qcStudy(SUBJECTS);
  await writeFile(join(at.study.output, 'sub-03.html'), '<!doctype html><title>sub-03</title>');
});
afterAll(() => at.remove());

/** Runs the command in this process. */
async function qc(...words: string[]): Promise<{ stdout: string; code: number; refused?: string }> {
  const lines: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      if (stream === process.stdout) lines.push(String(text));
      return true;
    }),
  );
  const program = new Command().exitOverride();
  register(program);
  // Options that end the process by themselves must not end the test.
  for (const command of program.commands) command.exitOverride();
  let refused: CommandError | CommanderError | undefined;
  process.exitCode = undefined;
  try {
    await program.parseAsync(['node', 'delta-md', 'qc', at.file, ...words]);
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof CommanderError)) throw error;
    refused = error;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const code = refused ? 2 : Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { stdout: lines.join(''), code, refused: refused?.message };
}

describe('the command', () => {
  afterEach(() =>
    writeFile(decisionsPath(at.study), 'participant_id\tsession\tdecision\treason\twho\twhen\n'),
  );

  it('lists those that wait first, then from bad to good, with reasons and pages', async () => {
    const { stdout, code } = await qc();
    expect(code).toBe(1);
    const order = [...stdout.matchAll(/^sub-\d\d/gm)].map(String);
    expect(order).toEqual(['sub-03', 'sub-02', 'sub-01']);
    expect(stdout).toMatch(/change of the b0\/DWI gain between the sessions 9 %, above 5/);
    expect(stdout).toMatch(/ses-post: mean framewise displacement 1\.9 mm, above 1/);
    expect(stdout).toMatch(/file:\/\/.*sub-03\.html/);
    expect(stdout).toMatch(/sub-02.*excluded by its limit/);
    expect(stdout).toContain('review: 1 pass, 1 warn, 1 exclude; 1 await a decision');
  });

  it('as JSON, filtered', async () => {
    const { stdout } = await qc('--json', '--verdicts', 'warn,pass');
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ study: 'review', awaits: 1, gate: null, counts: { exclude: 1 } });
    expect(result.subjects.map((one: Standing) => [one.subject, one.level])).toEqual([
      ['sub-03', 'warn'],
      ['sub-01', 'pass'],
    ]);
  });

  it('takes decisions; when all are taken nothing waits', async () => {
    const excluded = await qc(
      '03',
      '--exclude',
      'gain "drifts"',
      '--reviewer',
      'A. Weber',
      '--session',
      'ses-post',
    );
    expect(excluded.code).toBe(0);
    expect(excluded.stdout).toContain('delta-md report');
    expect(excluded.stdout).toMatch(/sub-03.*excluded by A\. Weber, \d{4}-\d\d-\d\d: gain 'drifts'/);
    await qc('sub-02', '--include', 'only the neck', '--reviewer', 'B');
    const text = await readFile(decisionsPath(at.study), 'utf8');
    expect(text.trim().split('\n').slice(1)).toEqual([
      expect.stringMatching(/^sub-03\tpost\texclude\tgain 'drifts'\tA\. Weber\t20/),
      expect.stringMatching(/^sub-02\tn\/a\tinclude\tonly the neck\tB\t20/),
    ]);
    const all = await standings(at.study, await publishedSubjects(at.study));
    expect(all.map(({ excluded }) => excluded !== undefined)).toEqual([false, false, true]);
  });

  it.each([
    [['sub-77', '--exclude', 'x', '--reviewer', 'A'], /sub-77/],
    [['sub-77'], /no results/],
    [['--exclude', 'x', '--reviewer', 'A'], /Which subject/],
    [['sub-03', '--exclude', ' ', '--reviewer', 'A'], /reason/],
    [['sub-03', '--exclude', 'x', '--reviewer', ''], /reviewer/],
    [['sub-03', '--session', 'post'], /--include or --exclude/],
    [['sub-03', '--exclude', 'x', '--include', 'y'], /cannot be used with/],
    [['--verdicts', 'bad'], /none of pass, warn, exclude/],
  ])('%j is refused', async (words, why) => {
    const { code, refused } = await qc(...words);
    expect(code).toBe(2);
    expect(refused).toMatch(why);
  });

  it('a wrong line of qc.tsv is told', async () => {
    await writeFile(
      decisionsPath(at.study),
      'participant_id\tsession\tdecision\treason\twho\twhen\nsub-1\tn/a\texclude\tx\tA\t2026-03-31\n',
    );
    const { refused } = await qc();
    expect(refused).toContain('qc.tsv, line 2: there is no sub-1 in this study');
  });
});

describe('the study file', () => {
  it.each([
    ['{ thresholds: { mean_fdd: { warn: 1 } } }', /mean_fdd is no metric/, /Did you mean "mean_fd"/],
    ['{ thresholds: { constructor: { warn: 1 } } }', /constructor is no metric/, /./],
    ['{ thresholds: { fieldmap_hz_mean: { warn: 1 } } }', /neither high nor low/, /Delete/],
    ['{ thresholds: { mean_fd: { warn: 2, exclude: 1 } } }', /comes after exclude/, /Swap/],
    ['{ thresholds: { template_corr: { warn: 0.4, exclude: 0.6 } } }', /low values are bad/, /Swap/],
    ['{ thresholds: { mean_fd: {} } }', /needs warn, exclude, or both/, /./],
    ['{ thresholds: { mean_fd: { warn: high } } }', /mean_fd\.warn must be a number/, /./],
    ['{ gate: reviews }', /not one of none, review/, /review/],
    ['{ outliers: { mad: 0 } }', /more than 0/, /./],
  ])('qc: %s is a problem of its line', async (section, message, remedy) => {
    const file = join(at.root, 'wrong.yaml');
    const text = (await readFile(at.file, 'utf8')).replace('qc: {}', `qc: ${section}`);
    await writeFile(file, text);
    const loaded = await loadStudy(file);
    if (loaded.ok) throw new Error('it was taken');
    expect(loaded.problems).toHaveLength(1);
    expect(loaded.problems[0].line).toBe(text.split('\n').findIndex((line) => line.startsWith('qc:')) + 1);
    expect(loaded.problems[0].message).toMatch(message);
    expect(loaded.problems[0].remedy).toMatch(remedy);
  });

  it('takes limits of metrics that come by shell', async () => {
    const file = join(at.root, 'shells.yaml');
    const section = 'qc: { gate: review, thresholds: { b1000_median_cnr: { exclude: 1 } } }';
    await writeFile(file, (await readFile(at.file, 'utf8')).replace('qc: {}', section));
    expect(await loadStudy(file)).toMatchObject({
      ok: true,
      study: { qc: { gate: 'review', exclude: 'automatic' } },
    });
  });
});

describe('the review page', () => {
  let url: string;
  let close: () => void;
  const decided = vi.fn<Review['decide']>();
  beforeAll(async () => {
    const all = await standings(at.study, ['sub-01', 'sub-02', 'sub-03']);
    const hostile = { ...all[1], reasons: [{ level: 'warn', why: '<script>alert(1)</script>' }] } as Standing;
    const { server, url: address } = await reviewServer({
      study: 'a <b>study</b>',
      reviewer: '"><script>',
      output: at.study.output,
      look: async () => [all[0], hostile, all[2]],
      decide: decided,
    });
    url = address;
    close = () => {
      server.closeAllConnections();
      server.close();
    };
  });
  afterAll(() => close());
  afterEach(() => decided.mockReset());

  const post = (fields: Record<string, string>, to = `${url}decide`) =>
    fetch(to, { method: 'POST', body: new URLSearchParams(fields) });
  const FORM = { subject: 'sub-03', decision: 'exclude', reason: 'ghost', who: 'A. Weber' };

  it('is served on the loopback address only, without scripts, and is never kept', async () => {
    expect(new URL(url).hostname).toBe('127.0.0.1');
    const response = await fetch(url);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    const page = await response.text();
    expect(page).not.toContain('<script');
    expect(page).not.toContain('<b>study');
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect([...page.matchAll(/<article id="(sub-\d\d)"/g)].map(([, subject]) => subject)).toEqual([
      'sub-03',
      'sub-02',
      'sub-01',
    ]);
  });

  it('takes a decision by its form', async () => {
    decided.mockResolvedValue('Written.');
    const response = await post(FORM);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('<p class="note" role="status">Written.</p>');
    expect(decided).toHaveBeenCalledExactlyOnceWith(FORM);
  });

  it('tells a refusal', async () => {
    decided.mockRejectedValue(new CommandError('Refused: a reason is needed.', 2));
    const response = await post({ ...FORM, reason: ' ' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('Refused: a reason is needed.');
  });

  it('is closed to whoever lacks the token, and to other names of this machine', async () => {
    const { origin, port, pathname } = new URL(url);
    const token = pathname.split('/')[1];
    expect(token.length).toBeGreaterThanOrEqual(43);
    for (const to of [`${origin}/`, `${origin}/decide`, `${origin}/${'x'.repeat(token.length)}/decide`]) {
      expect((await post(FORM, to)).status, to).toBe(404);
      expect((await fetch(to)).status, to).toBe(404);
    }
    const status = await new Promise((resolve, reject) => {
      request(
        { port, host: '127.0.0.1', path: pathname, headers: { host: `evil.example:${port}` } },
        (response) => resolve(response.statusCode),
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
    expect(decided).not.toHaveBeenCalled();
  });

  it('does nothing by GET, takes no flood, and serves subject pages only', async () => {
    expect((await fetch(`${url}decide`)).status).toBe(404);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
    expect((await post({ ...FORM, reason: 'x'.repeat(30_000) })).status).toBe(413);
    expect(decided).not.toHaveBeenCalled();
    expect(await (await fetch(`${url}sub-03.html`)).text()).toContain('<title>sub-03');
    for (const path of ['sub-02.html', 'qc.tsv', '..%2f..%2fparticipants.tsv', 'sub-03.html%00'])
      expect((await fetch(`${url}${path}`)).status, path).toBe(404);
  });
});

it('a decision without any server goes to the file', async () => {
  const verdict = { subject: 'sub-01', decision: 'exclude', reason: 'withdrew', who: 'A' } as const;
  expect(await decide(at.study, verdict)).toBeUndefined();
  expect(await readFile(decisionsPath(at.study), 'utf8')).toMatch(
    /\nsub-01\tn\/a\texclude\twithdrew\tA\t20.*Z\n$/,
  );
});
