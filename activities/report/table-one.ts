/** Table 1: who the groups were before treatment. */
import type { CohortAnalysis } from '../../statistics/plan.ts';
import type { CategoricalCharacteristic, NumericCharacteristic } from '../../statistics/table-one.ts';
import * as format from './format.ts';
import { type Html, html, table } from './markup.ts';

interface Row {
  readonly label: string | Html;
  readonly first: string;
  readonly second: string;
  readonly test: string;
  readonly p: string;
  readonly smd: string;
}

/** Null where the plan names no characteristic. */
export function tableOne({ tableOne, plan, n }: CohortAnalysis): Html | null {
  if (tableOne.length === 0) return null;
  const { reference, treatment } = plan.groups;
  const rows = tableOne.flatMap((one) => (one.kind === 'numeric' ? [numericRow(one)] : categoricalRows(one)));
  return table(
    html`Table 1. Characteristics of the groups at baseline`,
    rows,
    [
      { head: '', cell: (row) => row.label, kind: 'words' },
      { head: html`${reference}<br>(n = ${n.reference})`, cell: (row) => row.first },
      { head: html`${treatment}<br>(n = ${n.treatment})`, cell: (row) => row.second },
      { head: 'test', cell: (row) => row.test },
      { head: 'p', cell: (row) => row.p },
      { head: 'SMD', cell: (row) => row.smd },
    ],
    {
      note: 'Mean ± SD, or number (%); where values are missing, their number is given. Student’s t-test; Pearson’s χ², or Fisher’s exact test where a cell expects less than 5. SMD: standardized difference of the groups, reference minus treatment for numbers.',
    },
  );
}

/** `age`, `treatment resistance`: columns are named for programs. */
const name = (column: string) => column.replaceAll('_', ' ');

function numericRow({
  name: column,
  first,
  second,
  test,
  standardizedDifference,
}: NumericCharacteristic): Row {
  // Whole numbers such as scores and years are told to a tenth, what is smaller to three digits.
  const size = Math.max(...[first.mean, second.mean].map((m) => Math.abs(m ?? 0)));
  const decimals = size >= 1 ? 1 : size > 0 ? Math.min(8, 2 - Math.floor(Math.log10(size))) : 1;
  const print = ({ mean, sd, missing, n }: NumericCharacteristic['first']) =>
    mean === null
      ? '–'
      : `${format.fixed(mean, decimals)} ± ${sd === null ? '–' : format.fixed(sd, decimals)}${missing > 0 ? ` (${n} values)` : ''}`;
  return {
    label: name(column),
    first: print(first),
    second: print(second),
    test: test.ok ? format.tEquals(test.value.student.t, test.value.student.df) : '–',
    p: test.ok ? format.pValue(test.value.student.p) : '–',
    smd: standardizedDifference.ok ? format.fixed(standardizedDifference.value, 2) : '–',
  };
}

function categoricalRows({
  name: column,
  levels,
  first,
  second,
  test,
  standardizedDifference,
}: CategoricalCharacteristic): Row[] {
  const known = ({ missing, n }: CategoricalCharacteristic['first']) => (missing > 0 ? `${n} values` : '');
  const share = ({ counts, shares }: CategoricalCharacteristic['first'], i: number) => {
    const part = shares[i];
    return part === null ? '–' : `${counts[i]} (${format.fixed(100 * part, 0)} %)`;
  };
  return [
    {
      label: name(column),
      first: known(first),
      second: known(second),
      ...testOf(test),
      smd: standardizedDifference.ok ? format.fixed(standardizedDifference.value, 2) : '–',
    },
    ...levels.map((level, i) => ({
      label: html`<span class="level">${level}</span>`,
      first: share(first, i),
      second: share(second, i),
      test: '',
      p: '',
      smd: '',
    })),
  ];
}

function testOf(test: CategoricalCharacteristic['test']): { test: string; p: string } {
  if (!test.ok) return { test: '–', p: '–' };
  const { preferred, fisherP, chiSquare, df } = test.value;
  if (preferred === 'fisher' && fisherP.ok) return { test: 'Fisher', p: format.pValue(fisherP.value) };
  return { test: `χ²(${df}) = ${format.fixed(chiSquare.statistic, 2)}`, p: format.pValue(chiSquare.p) };
}
