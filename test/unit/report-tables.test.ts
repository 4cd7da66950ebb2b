/** The report's words and tables: what a journal expects to read, true to the analysis. */
import { describe, expect, test } from 'vitest';
import * as format from '../../activities/report/format.ts';
import { bibliography, renderGroupReport } from '../../activities/report/html.ts';
import { statisticalMethods } from '../../activities/report/methods.ts';
import {
  bibtex,
  citedKeys,
  citedTools,
  REFERENCES,
  referenceList,
  withNumbers,
} from '../../activities/report/references.ts';
import { tableTwo } from '../../activities/report/results.ts';
import { sensitivityTables } from '../../activities/report/sensitivity.ts';
import { findings, question, summarySection } from '../../activities/report/summary.ts';
import { tableOne } from '../../activities/report/table-one.ts';
import { wholeReport } from '../fixtures/group-report.ts';

const report = wholeReport();
const analysis = report.analysis!;

/** Rows of the tables in some markup, as words. */
const rowsOf = (markup: string) =>
  [...markup.matchAll(/<tr[^>]*>([\s\S]*?)<\/tr>/g)].map(([, row]) =>
    [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell]) =>
      cell
        .replace(/<br>/g, ' ')
        .replace(/<[^>]*>/g, '')
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>'),
    ),
  );

describe('Table 1', () => {
  const rows = rowsOf(tableOne(analysis)!.markup);
  const row = (label: string) => rows.find(([first]) => first === label)!;

  test('numbers: mean and SD of each group, test, p and standardized difference', () => {
    const age = analysis.tableOne[0];
    if (age.kind !== 'numeric' || !age.test.ok || !age.standardizedDifference.ok) throw new Error('no age');
    expect(row('age')).toEqual([
      'age',
      `${age.first.mean!.toFixed(1)} ± ${age.first.sd!.toFixed(1)}`,
      `${age.second.mean!.toFixed(1)} ± ${age.second.sd!.toFixed(1)}`,
      format.tEquals(age.test.value.student.t, 95),
      format.pValue(age.test.value.student.p),
      format.fixed(age.standardizedDifference.value, 2),
    ]);
    expect(row('treatment resistance')[1]).toMatch(/\(30 values\)$/);
  });

  test('words: number and share of each level; Fisher where counts are small', () => {
    const sex = rows.findIndex(([first]) => first === 'sex');
    expect(rows[sex][3]).toMatch(/^χ²\(1\) = /);
    const counts = rows.slice(sex + 1, sex + 3).map((cells) => Number.parseInt(cells[2], 10));
    expect(counts[0] + counts[1]).toBe(66);
    expect(row('benzodiazepine')[3]).toBe('Fisher');
  });

  test('is absent where the plan names no characteristic', () =>
    expect(tableOne({ ...analysis, tableOne: [] })).toBeNull());
});

test('Table 2: three terms a region under a heading with the model', () => {
  const rows = rowsOf(tableTwo(analysis, 'MADRS', 'Table 2').markup);
  const cell = analysis.regressions[0];
  if (!cell.result.ok || !cell.r2Change.ok) throw new Error('no model');
  const { regression, interaction } = cell.result.value.dummyCoded;
  const at = rows.findIndex(([heading]) => heading.startsWith('lBA10 '));
  expect(rows[at]).toEqual([
    `lBA10 n = 97, R² = ${format.bare(regression.r2)} (adjusted ${format.bare(regression.adjustedR2)}), ΔR² = ${format.bare(cell.r2Change.value.r2Change)}, F(3, 93) = ${format.fixed(regression.f, 2)}, ${format.pEquals(regression.p)}`,
  ]);
  const [dMd, group, product] = rows.slice(at + 1, at + 4);
  expect([dMd[0], group[0], product[0]]).toEqual(['dMD', 'group', 'dMD × group']);
  expect(product[1]).toContain(format.fixed(interaction.b * 1e-5, 2));
  expect(product.slice(3, 6)).toEqual([
    format.bare(interaction.beta),
    format.fixed(interaction.t, 3),
    format.pValue(interaction.p),
  ]);
  // Only the product has a family.
  expect([dMd[6], group[6]]).toEqual(['', '']);
  expect(product[6]).toBe(format.pValue(analysis.families[1].members[0].holm));
});

describe('sensitivity', () => {
  const { markup } = sensitivityTables(analysis, report.keepingExcluded);
  const rows = rowsOf(markup);

  test('has the p of every analysis beside the primary one', () => {
    const head = rows.find(([first]) => first === 'outcome')!;
    expect(head.slice(2)).toEqual([
      'primary',
      'dMD Winsorized',
      'with age, sex',
      'with baseline MD',
      'HC3 errors',
      'permu- tation',
      'excluded kept',
    ]);
    const row = rows.find(([outcome, roi]) => outcome === 'MADRS' && roi === 'lBA10')!;
    const kept = report.keepingExcluded!.regressions[0].result;
    const { checks } = analysis.regressions[0];
    if (!kept.ok || !checks?.ok) throw new Error('not computed');
    expect(row[6]).toBe(format.pValue(checks.value.hc3.p));
    expect(row[8]).toBe(format.pValue(kept.value.dummyCoded.interaction.p));
  });

  test('tells what silence is worth, slopes, influence and assumptions', () => {
    for (const words of ['What finding no difference', 'Simple slopes', 'Influence', 'Assumptions'])
      expect(markup).toContain(words);
    expect(markup.match(/<table>/g)).toHaveLength(6);
    const without = { ...analysis, plan: { ...analysis.plan, sensitivity: undefined } };
    expect(sensitivityTables(without).markup.match(/<table>/g)).toHaveLength(2);
  });
});

describe('summary', () => {
  test('asks the question, answers it with effect, interval and p', () => {
    expect(question(analysis)).toContain('66 subjects with ketamine and 31 with vehicle');
    const [score, change, interaction] = findings(analysis);
    const madrs = analysis.outcomeTests[0].result;
    if (!madrs.ok) throw new Error(madrs.reason);
    const { first, second, difference, student } = madrs.value;
    expect(score).toMatch(
      new RegExp(
        `^MADRS fell by ${second.mean.toFixed(1)} points with ketamine and (fell )?by ${first.mean.toFixed(1)}`,
      ),
    );
    expect(score).toContain(`a difference of ${format.fixed(-difference, 1)} points`);
    expect(score).toContain(format.pEquals(student.p));
    expect(change).toMatch(/7 regions/);
    expect(interaction).toMatch(/^The change in MD went with the change in MADRS/);
  });

  test('a score that rises with treatment is said to rise', () => {
    const worse = analysis.outcomeTests.map((test) => ({
      ...test,
      result: test.result.ok
        ? {
            ok: true as const,
            value: { ...test.result.value, second: { ...test.result.value.second, mean: -2.04 } },
          }
        : test.result,
    }));
    expect(findings({ ...analysis, outcomeTests: worse })[0]).toMatch(
      /^MADRS rose by 2\.0 points with ketamine and fell by/,
    );
  });

  test('warns of lost subjects, numbers of tests, and exclusions', () => {
    const { markup } = summarySection(report);
    expect(markup).toContain('2 subjects of 100 failed or were excluded');
    expect(markup).toContain('15 primary tests were made');
    expect(markup).toContain('what keeping them would change');
    expect(markup).toContain('Nothing on this page is about patients');
  });
});

describe('references', () => {
  test('are numbered as they are cited, each once', () => {
    const text = [
      'Holm [@holm1979] and FDR [@benjamini1995; @holm1979].',
      'See [@cook1977], not [@nobody] or [a].',
    ];
    const keys = citedKeys(text);
    expect(keys).toEqual(['holm1979', 'benjamini1995', 'cook1977']);
    expect(withNumbers(text[0], keys).markup).toBe(
      'Holm [<a href="#reference-1">1</a>] and FDR [<a href="#reference-2">2</a>, <a href="#reference-1">1</a>].',
    );
    expect(withNumbers(text[1], keys).markup).toContain('not [@nobody] or [a].');
    expect(referenceList(keys).markup).toContain(
      'Holm S. A simple sequentially rejective multiple test procedure. <i>Scandinavian Journal of Statistics</i> 6:65–70 (1979).',
    );
  });

  test('all that the methods cite are known, and only what was used is cited', () => {
    const all = statisticalMethods(analysis.plan);
    for (const [, inside] of all.join(' ').matchAll(/\[(@[^\]]*)\]/g))
      for (const key of inside.split('; ')) expect(REFERENCES).toHaveProperty(key.slice(1));
    const few = statisticalMethods({
      ...analysis.plan,
      checks: undefined,
      sensitivity: undefined,
      winsorize: 'none',
    });
    expect(citedKeys(all)).toContain('efron1987');
    for (const key of ['efron1987', 'mackinnon1985', 'tukey1977', 'rouder2009'])
      expect(citedKeys(few)).not.toContain(key);
  });

  test('BibTeX', () => {
    expect(bibtex(['andersson2016'])).toBe(`@article{andersson2016,
  author = {Andersson, J. L. R. and Sotiropoulos, S. N.},
  title = {{An integrated approach to correction for off-resonance effects and subject movement in diffusion MR imaging}},
  journal = {NeuroImage},
  year = {2016},
  volume = {125},
  pages = {1063--1078},
  doi = {10.1016/j.neuroimage.2015.10.019}
}
`);
    const all = bibtex(Object.keys(REFERENCES));
    expect(all.match(/^@/gm)).toHaveLength(Object.keys(REFERENCES).length);
    expect(all.split('{').length).toBe(all.split('}').length);
    expect(all).not.toMatch(/undefined|[^\\]&/);
  });

  test('tools are cited by their names', () => {
    expect(citedTools(['eddy', 'awk', 'bet'])).toContain('eddy [@andersson2016], bet [@smith2002]');
    expect(citedTools(['awk'])).toBe('');
  });

  test('report.bib holds what the page lists', async () => {
    const page = await renderGroupReport(report);
    const listed = page.match(/id="reference-\d+"/g)!.length;
    const bib = bibliography(report);
    expect(bib.match(/^@/gm)).toHaveLength(listed);
    const link = /href="data:application\/x-bibtex;charset=utf-8;base64,([^"]*)" download="report\.bib"/.exec(
      page,
    )!;
    expect(Buffer.from(link[1], 'base64').toString()).toBe(bib);
  });
});
