/** The group's tables: what each says, and that no column goes without a description. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { analysisPlan } from '../../activities/analysis.ts';
import { statisticsTables } from '../../activities/group-tables/index.ts';
import { regionalChange, regionalMd } from '../../activities/group-tables/regional.ts';
import { type Table, writeTables } from '../../activities/group-tables/table.ts';
import { statistics } from '../../config/statistics-schema.ts';
import { readTable } from '../../config/tables.ts';
import { analysePlan } from '../../statistics/analyse.ts';
import { unwrap } from '../../statistics/errors.ts';
import type { SubjectRow } from '../../statistics/plan.ts';
import { randomStream } from '../../statistics/random.ts';
import { PLANTED_TRIAL, simulateTrial, trialTable } from '../../statistics/simulated-trial.ts';

const people = simulateTrial(PLANTED_TRIAL, randomStream(4));
const rows = trialTable(people).map(
  (row, i): SubjectRow => ({
    ...row,
    sessionScores: people[i].scores,
    characteristics: { ...row.covariates, ...(i === 3 ? { age: null } : {}) },
  }),
);
const rois = ['lBA10', 'vACC'];
const settings = statistics.parse({
  outcomes: [{ name: 'MADRS', baseline: 'a', followup: 'b' }],
  exploratory: [{ name: 'QIDS', baseline: 'c', followup: 'd' }],
  covariates: ['age', ['baselineMd', 'antidepressant']],
  characteristics: ['age', 'sex', 'antidepressant'],
  permutations: 200,
  bootstrap: 200,
  cluster: 'antidepressant',
});
const plan = analysisPlan(settings, PLANTED_TRIAL.groups, rois);
const analysis = analysePlan(plan, rows);
const tables = statisticsTables(analysis);
// A region that does not change and has no MD, an outcome that nobody has, one sex: reasons instead of results.
const degenerate = statisticsTables(
  analysePlan(
    plan,
    rows.map((row) => ({
      ...row,
      change: { ...row.change, vACC: 0 },
      baselineMd: { ...row.baselineMd, vACC: null },
      scores: { MADRS: row.scores['MADRS'] },
      sessionScores: { QIDS: { baseline: 20, followup: null } },
      characteristics: { ...row.characteristics, sex: 'F' },
    })),
  ),
);
const regional: Record<string, Table> = {
  group_roi_md: regionalMd([
    { subject: 'sub-01', session: 'ses-1', roi: 'vACC', md: 8e-4, voxels: 9, coverage: 0.9, flagged: false },
  ]),
  group_dmd: regionalChange(
    rows.map((row) => ({ ...row, followupMd: row.baselineMd })),
    rois,
  ),
};

const every = [...Object.entries({ ...tables, ...regional }), ...Object.entries(degenerate)];

describe.each(every)('%s', (_, { columns, rows }) => {
  test('describes every column, and every word of those with levels', () => {
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows)
      for (const [name, value] of Object.entries(row)) {
        expect(columns, name).toHaveProperty([name]);
        const { Levels } = columns[name];
        if (Levels && value !== undefined && value !== null)
          expect(Object.keys(Levels)).toContain(String(value));
        if (typeof value === 'number') expect(Number.isFinite(value), `${name} = ${value}`).toBe(true);
      }
    for (const [name, { Description, Units }] of Object.entries(columns)) {
      expect(Description.length, name).toBeGreaterThan(3);
      if (Units !== undefined) expect(Units.length, name).toBeGreaterThan(0);
    }
  });
});

test('no column is empty everywhere', () => {
  for (const [name, { columns }] of Object.entries(tables)) {
    const all = [...tables[name].rows, ...degenerate[name].rows];
    for (const column of Object.keys(columns))
      expect(
        all.some((row) => row[column] !== undefined && row[column] !== null),
        `${name}.${column}`,
      ).toBe(true);
  }
});

test('a region without change has its reason in every table about it', () => {
  for (const name of ['group_ttests', 'group_table2', 'group_equivalence', 'group_correlations'])
    expect(
      degenerate[name].rows.some(
        ({ why_not }) => String(why_not).includes('does not vary') || String(why_not).includes('do not vary'),
      ),
      name,
    ).toBe(true);
});

test('Table 2 says what the models say', () => {
  const [, , interaction] = tables['group_table2'].rows;
  const cell = analysis.regressions[0];
  const { dummyCoded } = unwrap(cell.result);
  expect(interaction).toMatchObject({
    outcome: 'd-MADRS',
    roi: 'lBA10',
    term: 'dMD x group',
    b: dummyCoded.interaction.b,
    beta: dummyCoded.interaction.beta,
    r2: dummyCoded.regression.r2,
    r2_change: unwrap(cell.r2Change).r2Change,
    p_holm: analysis.families[1].members[0].holm,
  });
  expect(tables['group_table2'].rows).toHaveLength(2 * 2 * 3);
});

test('Table 1 counts each level, and those without a value', () => {
  const { rows: lines } = tables['group_table1'];
  expect(lines[0]).toMatchObject({ characteristic: 'age', test: 't' });
  expect(Number(lines[0]['missing_reference']) + Number(lines[0]['missing_treatment'])).toBe(1);
  const sexes = lines.filter(({ characteristic, level }) => characteristic === 'sex' && level !== undefined);
  expect(sexes.map(({ level }) => level)).toEqual(['F', 'M']);
  const all = sexes.reduce(
    (sum, { count_reference: a, count_treatment: b }) => sum + Number(a) + Number(b),
    0,
  );
  expect(all).toBe(98);
});

test('on disk: a table, and beside it a dictionary of just its columns', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'group-tables-'));
  try {
    await writeTables(folder, tables);
    expect((await readdir(folder)).length).toBe(2 * Object.keys(tables).length);
    for (const name of Object.keys(tables)) {
      const { table, problems } = await readTable(join(folder, `${name}.tsv`));
      expect(problems).toEqual([]);
      const dictionary = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'));
      expect(Object.keys(dictionary)).toEqual(table.columns);
      expect(table.rows).toHaveLength(tables[name].rows.length);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
