/** A table of the group, and what each of its columns means: the TSV and its data dictionary come from one description. */
import { join } from 'node:path';
import { tsv, writeInto, writeJsonInto } from '../derivatives.ts';

/** A column in the terms of BIDS' data dictionaries. */
export interface Column {
  readonly Description: string;
  readonly Units?: string;
  /** Words that may stand in it. */
  readonly Levels?: Readonly<Record<string, string>>;
}

/** Columns in the order of the file, and rows that may leave out what they have no value for. */
export interface Table {
  readonly columns: Readonly<Record<string, Column>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** A row of a table with these columns. */
export type RowOf<C> = Readonly<Partial<Record<keyof C, unknown>>>;

/** A table whose rows can hold described columns only. */
export function table<C extends Readonly<Record<string, Column>>>(
  columns: C,
  rows: readonly RowOf<C>[],
): Table {
  return { columns, rows };
}

/** Writes NAME.tsv and its data dictionary NAME.json, a JSON object of the columns (BIDS, tabular files). */
export async function writeTables(folder: string, tables: Readonly<Record<string, Table>>): Promise<void> {
  for (const [name, { columns, rows }] of Object.entries(tables)) {
    await writeInto(join(folder, `${name}.tsv`), tsv(Object.keys(columns), rows));
    await writeJsonInto(join(folder, `${name}.json`), columns);
  }
}
