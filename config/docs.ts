/** The guides to the study file and to the plan, from their schemas: what the code accepts and what a page says cannot differ. */
import { analysisJsonSchema } from './analysis-file.ts';
import { type JsonSchema, studyJsonSchema } from './schema.ts';

const ANALYSIS_INTRODUCTION = `# The plan of an analysis

YAML, for \`delta-md stats --plan PLAN --table TABLE --output FOLDER\`: the statistics of a study file on any table, without
images. \`participants\`, \`exclude\` and \`statistics\` mean what they mean in a study file, with the table in the place of the
participants file; \`regions\` says which columns hold the MD. The table is tab-separated with one row per subject, and says
n/a where a value is missing. \`delta-md simulate FOLDER --participants-only\` writes an example of both. Every problem is told
with its line before anything is analysed. This page is made from the schema (\`npm run docs\`).

Rows are analysed in the order of the subjects' names, so results do not depend on the order of the table, those of
permutations and resamples among them.
`;

const INTRODUCTION = `# The study file

YAML, one file per study; \`delta-md init BIDS_FOLDER\` writes a first one from what the folder holds, and
\`delta-md validate\` checks it. Unknown keys are errors with a suggestion; every problem is told with its line. Relative
paths start at the study file's folder. This page is made from the schema (\`npm run docs\`).
`;

interface Row {
  readonly key: string;
  readonly values: string;
  readonly standard: string;
  readonly description: string;
}

/** Words for what a field may hold. */
function valuesOf(schema: JsonSchema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(valuesOf))].join(' or ');
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `\`${value}\``).join(', ');
  if (schema['const'] !== undefined) return `\`${schema['const']}\``;
  if (schema.type === 'array') return `list of ${schema.items ? valuesOf(schema.items) : 'anything'}`;
  if (schema.type === 'object') return 'settings';
  if (schema.type === 'string') return 'text';
  return schema.type ?? 'anything';
}

function rowsOf(schema: JsonSchema, prefix: string): Row[] {
  const required = new Set((schema['required'] as string[] | undefined) ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const key = `${prefix}${name}`;
    const standard = field['default'];
    const own: Row = {
      key,
      values: valuesOf(field),
      standard: required.has(name)
        ? '**needed**'
        : standard === undefined || typeof standard === 'object'
          ? ''
          : `\`${standard}\``,
      description: (field.description ?? '').replaceAll('|', '\\|'),
    };
    const inner = [field, ...(field.anyOf ?? []), ...(field.oneOf ?? [])].filter((part) => part.properties);
    const listed = field.items?.properties ? [field.items] : [];
    const open = typeof field.additionalProperties === 'object' && field.additionalProperties.properties;
    return [
      own,
      ...inner.flatMap((part) => rowsOf(part, `${key}.`)),
      ...listed.flatMap((part) => rowsOf(part, `${key}[].`)),
      ...(open ? rowsOf(field.additionalProperties as JsonSchema, `${key}.LABEL.`) : []),
    ];
  });
}

/** Markdown of docs/study-file.md. */
export function studyFileGuide(): string {
  return guide(INTRODUCTION, studyJsonSchema());
}

/** Markdown of docs/analysis-plan.md. */
export function analysisPlanGuide(): string {
  return guide(ANALYSIS_INTRODUCTION, analysisJsonSchema());
}

function guide(introduction: string, schema: JsonSchema): string {
  const seen = new Set<string>();
  const rows = rowsOf(schema, '').filter(({ key }) => !seen.has(key) && seen.add(key));
  const lines = rows.map((r) => `| \`${r.key}\` | ${r.values} | ${r.standard} | ${r.description} |`);
  return `${introduction}\n| field | holds | default | what it is |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`;
}
