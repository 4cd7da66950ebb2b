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

const REGIONS = `## Template and regions

Files of your own, each label a region:

\`\`\`yaml
template: ./FMRIB58_FA_1mm.nii.gz
rois: { image: ./rois_1mm.nii.gz, labels: { 1: lBA10, 2: rBA10, 7: vACC } }   # or labels: ./rois.tsv
\`\`\`

What FSL brings, by name; the label names are those of FSL's own description of the atlas:

\`\`\`yaml
template: fsl:FMRIB58_FA_1mm
rois: { image: fsl:HarvardOxford-sub-maxprob-thr25-1mm, regions: [Left Hippocampus, Right Hippocampus] }
\`\`\`

Regions of one's own definition, from several label images; limits are in mm of template space:

\`\`\`yaml
rois:
  image: fsl:HarvardOxford-sub-maxprob-thr25-1mm
  regions:
    lHippocampus: { label: Left Hippocampus }
    lBA10: { image: fsl:Talairach-labels-1mm, label: "Left*Brodmann area 10" }
    vACC: { image: fsl:Talairach-labels-1mm, label: ["*Brodmann area 24", "*Brodmann area 32"], limits: { y: [8, 90], z: [-40, 8] } }
    rBA10: { image: ./brodmann.nii.gz, label: 10, limits: { x: [2, 60], y: [50, 80] } }
\`\`\`

Where \`fsl:\` names are looked for: [runtimes.md](runtimes.md). Every label image must be on the template's grid. Regions may not
share voxels, and none may be empty; the label image made of them is kept in the work folder under \`atlases/\`.
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
  if (schema.type === 'array') {
    const item = schema.items ?? (schema['prefixItems'] as readonly JsonSchema[] | undefined)?.[0];
    return `list of ${item ? valuesOf(item) : 'anything'}`;
  }
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
    const parts = [field, ...(field.anyOf ?? []), ...(field.oneOf ?? [])];
    const inner = parts.filter((part) => part.properties);
    const listed = field.items?.properties ? [field.items] : [];
    const open = parts
      .map((part) => part.additionalProperties)
      .filter((part): part is JsonSchema => typeof part === 'object' && part.properties !== undefined);
    return [
      own,
      ...inner.flatMap((part) => rowsOf(part, `${key}.`)),
      ...listed.flatMap((part) => rowsOf(part, `${key}[].`)),
      ...open.flatMap((part) => rowsOf(part, `${key}.LABEL.`)),
    ];
  });
}

/** Markdown of docs/study-file.md. */
export function studyFileGuide(): string {
  return `${guide(INTRODUCTION, studyJsonSchema())}\n${REGIONS}`;
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
