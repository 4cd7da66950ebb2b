/** `delta-md stats`: a plan and a table in, tables out; what is wrong is told with its line before anything is analysed. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { register } from '../../cli/commands/stats.ts';
import { simulateTable } from '../../cli/simulated-table.ts';
import type { CohortAnalysis } from '../../statistics/plan.ts';

let root: string;
let plan: string;
let table: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md stats ü '));
  const options = { seed: 2, n: { reference: 12, treatment: 20 }, effects: true };
  const written = await simulateTable(join(root, 'trial'), options);
  table = written.table;
  plan = join(root, 'quick.yaml');
  // As written, but for draws that the tests need not wait for.
  await writeFile(plan, `${await readFile(written.analysis, 'utf8')}  permutations: 100\n  bootstrap: 100\n`);
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** What the command prints; rejects as it does. */
async function stats(...words: string[]): Promise<string> {
  const said: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
  const silent = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    const program = new Command().exitOverride();
    register(program);
    await program.parseAsync(['node', 'delta-md', 'stats', ...words]);
    return said.join('');
  } finally {
    write.mockRestore();
    silent.mockRestore();
  }
}

const TABLES = [
  'group_ancova',
  'group_correlations',
  'group_equivalence',
  'group_mixed_model',
  'group_regressions',
  'group_sensitivity',
  'group_table1',
  'group_table2',
  'group_ttests',
];

test('writes every table with its dictionary, and never over another without being told', async () => {
  const results = join(root, 'results');
  const said = await stats('--plan', plan, '--table', table, '--output', results);
  expect(said).toContain('32 subjects: 12 vehicle, 20 ketamine; left out: 0');
  expect(said).toContain('dMD x group');
  expect((await readdir(results)).sort()).toEqual(
    [...TABLES.flatMap((name) => [`${name}.json`, `${name}.tsv`]), 'group_statistics.json'].sort(),
  );
  const first = await readFile(join(results, 'group_table2.tsv'), 'utf8');
  await expect(stats('--plan', plan, '--table', table, '--output', results)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('--overwrite'),
  });
  await stats('--plan', plan, '--table', table, '--output', results, '--overwrite');
  expect(await readFile(join(results, 'group_table2.tsv'), 'utf8')).toBe(first);
});

test('rows in another order, and one that is excluded, with --json', async () => {
  const [header, ...rows] = (await readFile(table, 'utf8')).trim().split('\n');
  const reversed = join(root, 'reversed.tsv');
  await writeFile(reversed, `${[header, ...rows.reverse()].join('\n')}\n`);
  const excluding = join(root, 'excluding.yaml');
  await writeFile(excluding, `${await readFile(plan, 'utf8')}exclude: { '07': scanner upgrade }\n`);
  const run = async (file: string, name: string) =>
    JSON.parse(await stats('--plan', excluding, '--table', file, '--output', join(root, name), '--json'));
  const [one, other] = [await run(table, 'one'), await run(reversed, 'other')];
  expect(one).toMatchObject({ leftOut: [{ subject: 'sub-07', why: 'scanner upgrade' }] });
  expect(one.tables).toHaveLength(TABLES.length);
  expect(await readFile(other.statistics, 'utf8')).toBe(await readFile(one.statistics, 'utf8'));
  const analysis: CohortAnalysis = JSON.parse(await readFile(one.statistics, 'utf8'));
  expect(analysis.n.reference + analysis.n.treatment).toBe(31);
  expect(analysis.regressions.every(({ n }) => n === 31)).toBe(true);
});

test('a table with changes alone', async () => {
  const cells = (await readFile(table, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));
  const at = (name: string) => cells[0].indexOf(name);
  const text = cells.map((row, i) => {
    const fall = (a: string, b: string) => Number(row[at(a)]) - Number(row[at(b)]);
    if (i === 0) return 'id\tarm\tdmd_vACC\td_madrs';
    return [
      row[0],
      row[at('group')],
      fall('md_vACC_baseline', 'md_vACC_24h'),
      fall('madrs_baseline', 'madrs_24h'),
    ].join('\t');
  });
  const changes = join(root, 'changes.tsv');
  await writeFile(changes, `${text.join('\n')}\n`);
  const file = join(root, 'changes.yaml');
  await writeFile(
    file,
    [
      'participants: { id: id, group: { column: arm, reference: vehicle, treatment: ketamine } }',
      "regions: { names: [vACC], change: 'dmd_{roi}' }",
      'statistics:',
      '  outcomes: [{ name: MADRS, change: d_madrs }]',
      '  winsorize: { percentile: 5 }',
      '  permutations: 0',
      '  bootstrap: 0',
    ].join('\n'),
  );
  const results = join(root, 'changes');
  await stats('--plan', file, '--table', changes, '--output', results);
  const analysis: CohortAnalysis = JSON.parse(await readFile(join(results, 'group_statistics.json'), 'utf8'));
  const whole: CohortAnalysis = JSON.parse(
    await readFile(join(root, 'results', 'group_statistics.json'), 'utf8'),
  );
  const theirs = whole.regressions.find(
    ({ outcome, roi, change }) => outcome === 'MADRS' && roi === 'vACC' && change === 'raw',
  )!;
  const [ours] = analysis.regressions;
  if (!ours.result.ok || !theirs.result.ok) throw new Error('no result');
  const p = theirs.result.value.dummyCoded.interaction.p;
  expect(Math.abs(ours.result.value.dummyCoded.interaction.p / p - 1)).toBeLessThan(1e-9);
  expect(analysis.changeTests[0].ancova).toBeNull();
  expect(analysis.changeTests[0].winsorized?.ok).toBe(true);
  expect(ours.checks).toBeUndefined();
});

describe('what is wrong', () => {
  const wrong = async (edit: (text: string) => string, rows?: (text: string) => string) => {
    const file = join(root, 'wrong.yaml');
    await writeFile(file, edit(await readFile(plan, 'utf8')));
    const of = join(root, 'wrong.tsv');
    await writeFile(of, (rows ?? ((text) => text))(await readFile(table, 'utf8')));
    const output = join(root, 'never');
    const error = await stats('--plan', file, '--table', of, '--output', output).then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toMatchObject({ exitCode: 2 });
    await expect(readdir(output)).rejects.toMatchObject({ code: 'ENOENT' });
    return String(error.message);
  };

  test.each<[string, (text: string) => string, string]>([
    ['a misspelt setting', (t) => t.replace('winsorize:', 'winsorise:'), 'Did you mean "winsorize"?'],
    ['a column that is not there', (t) => t.replace('madrs_24h', 'madrs_25h'), 'no column "madrs_25h"'],
    ['a pattern without a region', (t) => t.replace('md_{roi}_24h', 'md_24h'), 'regions.followup'],
    ['a region without a column', (t) => t.replace('- vACC', '- dACC'), 'no column "md_dACC_baseline"'],
    ['a region twice', (t) => t.replace('- vACC', '- lBA10'), 'has a name twice'],
    [
      'two outcomes of one name',
      (t) => t.replace('name: QIDS', 'name: MADRS'),
      'two outcomes are named "MADRS"',
    ],
    [
      'bounds of no outcome',
      (t) => `${t}  equivalence: { outcomes: { MADRX: 3 } }\n`,
      'Did you mean "MADRS"?',
    ],
    ['an exclusion of nobody', (t) => `${t}exclude: { sub-99: left }\n`, 'no subject sub-99'],
    ['one group twice', (t) => t.replace('treatment: ketamine', 'treatment: vehicle'), 'same value'],
    [
      'a percentile too large',
      (t) => t.replace('winsorize: tukey', 'winsorize: { percentile: 60 }'),
      'at most 25',
    ],
    ['no YAML', () => 'participants: [', 'Mend the YAML'],
  ])('%s', async (_, edit, told) => {
    const message = await wrong(edit);
    expect(message).toContain(told);
    expect(message).toMatch(/wrong\.yaml:\d+:\d+: /);
  });

  test('in the table', async () => {
    const message = await wrong(
      (text) => text,
      (text) =>
        text.replace(/(sub-02\t)\S+/, '$1placebo').replace(/(sub-03\t\S+\t\S+\t\S+\t.*\t)\S+\n/, '$1high\n'),
    );
    expect(message).toContain('sub-02 has the group "placebo"');
    expect(message).toMatch(/wrong\.tsv:4:1: .*sub-03 has "high" for md_vACC_24h/);
  });

  test('files that are not there', async () => {
    const output = join(root, 'never');
    await expect(stats('--plan', 'none.yaml', '--table', table, '--output', output)).rejects.toThrow(
      'none.yaml cannot be read',
    );
    await expect(stats('--plan', plan, '--table', 'none.tsv', '--output', output)).rejects.toThrow(
      'none.tsv cannot be read',
    );
  });
});
