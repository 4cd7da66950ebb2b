/** Tab-separated tables as BIDS writes them. */
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import type { Problem } from './problems.ts';

export interface Row {
  /** 1-based line in the file. */
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
}

export interface Table {
  readonly file: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** Reads a table with a header. `problems` is empty exactly when all of it could be read. */
export async function readTable(file: string): Promise<{ table: Table; problems: Problem[] }> {
  const problems: Problem[] = [];
  const problem = (line: number, message: string, remedy: string) =>
    problems.push({ file, line, column: 1, path: '', message, remedy });
  const empty: Table = { file, columns: [], rows: [] };
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(await readFile(file), {
      delimiter: '\t',
      bom: true,
      info: true,
      trim: true,
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as typeof records;
  } catch (error) {
    problem(
      1,
      `${file} cannot be read: ${(error as Error).message}`,
      'Write a table with tabs between columns',
    );
    return { table: empty, problems };
  }
  const [header, ...body] = records;
  if (header === undefined) {
    problem(1, `${file} is empty`, 'Its first line names the columns, with tabs between them');
    return { table: empty, problems };
  }
  const columns = header.record;
  for (const [i, name] of columns.entries())
    if (columns.indexOf(name) !== i)
      problem(1, `${file} has two columns named "${name}"`, 'Rename one of them');
  const rows: Row[] = [];
  for (const { record, info } of body) {
    if (record.length !== columns.length)
      problem(
        info.lines,
        `${file}, line ${info.lines}: ${record.length} values for ${columns.length} columns`,
        'Separate values by one tab each; write n/a where a value is missing',
      );
    else rows.push({ line: info.lines, cells: Object.fromEntries(columns.map((c, i) => [c, record[i]])) });
  }
  return { table: { file, columns, rows }, problems };
}

/** True for BIDS's ways of saying that a value is not there. */
export function isMissing(cell: string): boolean {
  return cell === '' || /^(n\/a|na|nan)$/i.test(cell);
}
