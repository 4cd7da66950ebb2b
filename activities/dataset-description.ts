/** What the output folder says of itself as a BIDS derivative: dataset_description.json, README.md, .bidsignore. */
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Study } from '../config/study.ts';
import { writeInto, writeJsonInto } from './derivatives.ts';
import { RAW } from './outputs.ts';
import { readSteps } from './published.ts';

/** Tools of one version, and what ran them. */
export interface ToolUse {
  readonly version: string;
  /** Content of the program or the image. */
  readonly digest: string;
  readonly runtime: string;
  /** Names of the programs, sorted. */
  readonly programs: readonly string[];
}

/** Every version of tools that made the results, from the subjects' own records: two in one cohort must be seen. */
export async function toolsUsed(output: string, subjects: readonly string[]): Promise<ToolUse[]> {
  const uses = new Map<string, { use: Omit<ToolUse, 'programs'>; programs: Set<string> }>();
  for (const subject of subjects)
    for (const { argv, tool, runtime } of (await readSteps(output, subject)) ?? []) {
      const { version, digest } = tool;
      const key = JSON.stringify([version, runtime]);
      const entry = uses.get(key) ?? { use: { version, digest, runtime }, programs: new Set() };
      entry.programs.add(argv[0]);
      uses.set(key, entry);
    }
  return [...uses.values()].map(({ use, programs }) => ({ ...use, programs: [...programs].sort() }));
}

/** BIDS's description of a container; undefined for programs of the machine. */
function containerOf({ runtime }: Study, use: ToolUse) {
  if (use.runtime === 'process') return undefined;
  // The digest may be followed by the program's name, where one image holds several.
  const digest = { Digest: use.digest.split(' ')[0] };
  if (runtime.kind === 'process' || runtime.kind !== use.runtime) return { Type: use.runtime, ...digest };
  return runtime.kind === 'apptainer'
    ? { Type: runtime.kind, URI: pathToFileURL(runtime.image).href, ...digest }
    : { Type: runtime.kind, Tag: runtime.image, URI: `docker://${runtime.image}`, ...digest };
}

/**
 * Names BIDS has no rule for yet: maps, transforms and tables as BEP016 and QSIPrep spell them, tables of the group,
 * pictures and records. Gradient tables of derivatives are in BIDS's text, but not in the validator's rules (1.11).
 * A folder is named without a slash, which is what the validator understands.
 */
const IGNORED = [
  '*_dwimap.*',
  '*_scalarstats.*',
  '*_qc.*',
  'qc.*',
  '*_xfm.*',
  '*_dwiref.*',
  '*_timeseries.*',
  '*_desc-preproc_dwi.bval',
  '*_desc-preproc_dwi.bvec',
  'group_*',
  'figures',
  'logs',
  '*.html',
  '*.bib',
];

const readme = (
  title: string,
  version: string,
) => `# ${title}: diffusion tensor maps and regional mean diffusivity

Made by delta-md ${version} from a BIDS dataset of diffusion MRI. Open \`report.html\` first.

- \`sub-*/ses-*/dwi/\`: the corrected series, brain mask, FA, MD and S0 of each session; MD and mask in template space;
  transforms; MD by region (\`*_scalarstats.tsv\`).
- \`sub-*/dwi/*_desc-delta_dwimap.nii.gz\`: change, MD(baseline) - MD(follow-up), in template space.
- \`group_*\`: tables of the cohort and its statistics, each table with a dictionary of the same name (.json).
- \`logs/\`: every command behind a subject's results, with versions and digests.

MD is in mm^2/s. \`Sources\` in the sidecars name what a file was made from; \`bids:${RAW}:\` is the raw dataset.
`;

/** Writes what describes the output folder. @param version of delta-md  @param tools that made the results */
export async function describeDataset(
  study: Study,
  version: string,
  tools: readonly ToolUse[],
): Promise<void> {
  const title = study.title ?? study.study;
  // A folder inside the raw dataset finds it wherever both are moved together.
  const inside = relative(study.bids, study.output);
  const raw = inside.startsWith('..') ? pathToFileURL(study.bids).href : relative(study.output, study.bids);
  await writeJsonInto(join(study.output, 'dataset_description.json'), {
    Name: `${title}: diffusion tensor maps and regional mean diffusivity`,
    BIDSVersion: '1.10.0',
    DatasetType: 'derivative',
    GeneratedBy: [
      { Name: 'delta-md', Version: version, Description: `Profile ${study.profile.name}` },
      ...tools.map((use) => ({
        Name: use.programs.join(', '),
        Version: use.version,
        Description: `Steps of profile ${study.profile.name}`,
        Container: containerOf(study, use),
      })),
    ],
    SourceDatasets: [{ URL: raw }],
    DatasetLinks: { [RAW]: raw },
  });
  await writeInto(join(study.output, 'README.md'), readme(title, version));
  await writeInto(join(study.output, '.bidsignore'), `${IGNORED.join('\n')}\n`);
}
