/** The plan of an analysis in a file of its own, for `delta-md stats`: the study file's statistics, and where a table has MD. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { joinParticipants, type Participant, subjectName } from './participants.ts';
import { findingsOf, type Problem, suggestOrList } from './problems.ts';
import type { JsonSchema } from './schema.ts';
import { group, statistics, subjectColumn } from './statistics-schema.ts';
import { type NamedColumn, settingsFindings } from './statistics-settings.ts';
import { readTable, type Table } from './tables.ts';
import { readYaml } from './yaml-file.ts';

const text = z.string().min(1);
const pattern = text.regex(/\{roi\}/);

const regions = z
  .strictObject({
    names: z.array(text).min(1).describe('Names of the regions.'),
    baseline: pattern
      .optional()
      .describe('Columns of the MD at baseline in mm2/s, with {roi} for the region: md_{roi}_baseline.'),
    followup: pattern
      .optional()
      .describe('Columns of the MD at follow-up, with {roi} for the region; dMD = baseline - followup.'),
    change: pattern
      .optional()
      .describe('Columns of dMD itself, with {roi} for the region, instead of baseline and followup.'),
  })
  .refine((r) => (r.change === undefined) === (r.baseline !== undefined && r.followup !== undefined), {
    message: 'needs either the columns baseline and followup, or the column change',
  })
  .refine((r) => r.change === undefined || (r.baseline === undefined && r.followup === undefined), {
    message: 'has change beside baseline or followup',
  })
  .refine((r) => new Set(r.names).size === r.names.length, { message: 'has a name twice' })
  .describe('Regions, and their columns in the table.');

export const analysisSchema = z.strictObject({
  title: text.optional().describe('Title of the analysis.'),
  participants: z
    .strictObject({ id: subjectColumn, group })
    .describe('Which column has the subject and which the group.'),
  regions,
  exclude: z
    .record(text, text)
    .default({})
    .describe('Subjects left out, each with its reason: { sub-12: "scanner upgrade" }.'),
  statistics,
});

export type AnalysisFile = z.output<typeof analysisSchema>;

/** JSON Schema of the file, for its descriptions. */
export function analysisJsonSchema(): JsonSchema {
  return z.toJSONSchema(analysisSchema, { io: 'input' }) as JsonSchema;
}

/** A plan with the table that it is for. */
export interface LoadedAnalysis {
  readonly file: AnalysisFile;
  /** Rows of the table, with the values of every column that the plan names. */
  readonly people: readonly Participant[];
}

/** Column of a region. */
export const regionColumn = (columns: string, roi: string): string => columns.replaceAll('{roi}', roi);

function regionColumns({ regions }: AnalysisFile): NamedColumn[] {
  return (['baseline', 'followup', 'change'] as const).flatMap((key) => {
    const columns = regions[key];
    if (columns === undefined) return [];
    return regions.names.map((roi) => ({
      column: regionColumn(columns, roi),
      keys: ['regions', key],
      numeric: true,
    }));
  });
}

const WORDS = new Set(['title', 'participants', 'regions', 'exclude']);

/** Reads and checks a plan against its table: everything that is wrong is told at once, each with its line. */
export async function loadAnalysis(
  planFile: string,
  tableFile: string,
): Promise<{ ok: true; analysis: LoadedAnalysis } | { ok: false; problems: Problem[] }> {
  const read = await readYaml(
    resolve(planFile),
    WORDS,
    'delta-md simulate --participants-only writes an example',
  );
  if (!read.ok) return read;
  const { data, place } = read;
  const { table, problems: unreadable } = await readTable(resolve(tableFile));
  const parsed = analysisSchema.safeParse(data);
  if (!parsed.success) {
    const schema = analysisJsonSchema();
    const findings = parsed.error.issues.flatMap((issue) => findingsOf(issue, data, schema));
    return { ok: false, problems: [...findings.map(place), ...unreadable] };
  }
  const file = parsed.data;
  const exclude = Object.fromEntries(
    Object.entries(file.exclude).map(([id, reason]) => [subjectName(id), reason]),
  );
  const settings = settingsFindings(file.statistics).map(place);
  if (unreadable.length > 0) return { ok: false, problems: [...settings, ...unreadable] };
  const joined = joinParticipants({ ...file, exclude }, table, regionColumns(file));
  const problems = [
    ...settings,
    ...joined.findings.map(place),
    ...unknownExclusions(file, joined.participants, table).map(place),
    ...joined.problems,
  ];
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, analysis: { file: { ...file, exclude }, people: joined.participants } };
}

function unknownExclusions(file: AnalysisFile, people: readonly Participant[], table: Table) {
  const subjects = people.map(({ subject }) => subject);
  return Object.keys(subjects.length > 0 ? file.exclude : {})
    .filter((id) => !subjects.includes(subjectName(id)))
    .map((id) => ({
      keys: ['exclude', id],
      atKey: true,
      message: `${table.file} has no subject ${id}`,
      remedy: suggestOrList(subjectName(id), subjects, 'Its subjects'),
    }));
}
