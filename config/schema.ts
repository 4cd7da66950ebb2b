/**
 * The study file: one schema that is its types, its validation, its documentation (each field's description is shown
 * as the remedy of a problem, by editors, and in the docs) and its defaults.
 */
import { z } from 'zod';
import { PROFILES, type ProfileName } from './profiles.ts';
import { qc } from './qc-schema.ts';
import { group, statistics, subjectColumn } from './statistics-schema.ts';

const label = z.string().regex(/^[A-Za-z0-9]+$/);
const text = z.string().min(1);
/** A path; relative ones start at the study file's folder unless the field says otherwise. */
const path = text;

const acquisition = z
  .strictObject({
    phaseEncodingDirection: z
      .enum(['i', 'i-', 'j', 'j-'])
      .optional()
      .describe('Phase-encode direction in voxel axes: i, i-, j or j-.'),
    totalReadoutTime: z
      .number()
      .min(0.005)
      .max(0.2)
      .optional()
      .describe('Total readout time in seconds, 0.005 to 0.2.'),
    override: z
      .boolean()
      .default(false)
      .describe('true: these values also replace what sidecars say, for sidecars known to be wrong.'),
  })
  .describe('What the sidecars of sets with this dir- label leave out.');

const sessions = z
  .union([
    z.literal('none'),
    z
      .strictObject({
        baseline: label.optional().describe('Label of the first session, without ses-.'),
        followup: label.optional().describe('Label of the second session, without ses-.'),
        only: label
          .optional()
          .describe('Label of the one session to process, without ses-; no change is computed.'),
      })
      .refine((s) => (s.only === undefined ? s.baseline !== undefined && s.followup !== undefined : true), {
        message: 'needs both baseline and followup, or only',
      })
      .refine((s) => s.only === undefined || (s.baseline === undefined && s.followup === undefined), {
        message: 'has "only" beside baseline or followup',
      })
      .refine((s) => s.baseline === undefined || s.baseline !== s.followup, {
        message: 'names the same session as baseline and followup',
      }),
  ])
  .describe(
    'Which sessions are compared: { baseline: LABEL, followup: LABEL }, labels without ses-. One session: { only: LABEL }. No session level in the dataset: none.',
  );

const participants = z
  .strictObject({
    file: path
      .default('participants.tsv')
      .describe('Tab-separated table, one row per subject; relative to bids.'),
    id: subjectColumn,
    group,
  })
  .describe('Who took part, and in which group. Without it: imaging only, no statistics.');

const rois = z
  .strictObject({
    image: path.describe('Label image in template space: each region has its own whole number.'),
    labels: z
      .union([path, z.record(z.string().regex(/^[1-9]\d*$/), text)])
      .describe(
        'Names of the regions: { 1: lBA10, 2: rBA10 }, or a TSV file with the columns index and name.',
      ),
    minimumCoverage: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Share of a region, 0 to 1, that must hold data; below it the value is left out.'),
  })
  .describe('Regions in which mean diffusivity is averaged.');

const gpu = z
  .boolean()
  .optional()
  .describe('true: tools that have a CUDA variant (eddy) use it, with the NVIDIA GPUs of the machine.');

/** Settings that all containers have. */
const container = {
  fslDir: z
    .string()
    .regex(/^\//)
    .optional()
    .describe('Folder of FSL inside the image, for images that do not set FSLDIR and PATH themselves.'),
  gpu,
  roots: z
    .array(path)
    .optional()
    .describe(
      'Further folders that inputs may lie in, for data that the BIDS folder only links to. Containers are given nothing from elsewhere.',
    ),
};

/** Settings of engines that are spoken to over a socket. */
const engine = {
  image: text.describe(
    'Container image with the tools: a name, such as delta-md-toolkit:0.1.0, or better a digest, NAME@sha256:...; for apptainer a SIF file.',
  ),
  socket: path
    .optional()
    .describe(
      "Socket of the engine, where it is not the usual one. Docker's is else found by DOCKER_HOST, Podman's by XDG_RUNTIME_DIR.",
    ),
  ...container,
};

const runtime = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('process').describe('process, docker, podman or apptainer.'),
      fslDir: path
        .optional()
        .describe(
          'Folder of an installed FSL, whose tools are used instead of the built-in ones; in containers, the folder inside the image where that does not set FSLDIR and PATH itself.',
        ),
      toolkit: path.optional().describe('Folder of another build of the built-in tools.'),
      gpu,
    }),
    z.strictObject({ kind: z.literal('docker'), ...engine }),
    z.strictObject({ kind: z.literal('podman'), ...engine }),
    z.strictObject({
      kind: z.literal('apptainer'),
      image: path.describe('Image with the tools as a SIF file; apptainer build makes one from any image.'),
      ...container,
    }),
  ])
  .default({ kind: 'process' })
  .describe(
    'What runs the tools: { kind: process } on this machine; in containers { kind: docker, image: NAME }, { kind: podman, image: NAME } or { kind: apptainer, image: FILE.sif }.',
  );

const resources = z
  .strictObject({
    cpus: z.number().int().min(1).default(2).describe('Processor cores one step may use.'),
    memoryMiB: z.number().int().min(256).default(4096).describe('Memory one step may use at first, MiB.'),
    memoryLimitMiB: z
      .number()
      .int()
      .min(256)
      .default(16384)
      .describe('Memory a step may use at most, MiB, when it is tried again after running out.'),
    subjectsAtOnce: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Subjects processed at the same time; by default as many as steps (--n-cpus, or all cores).'),
    timeFactor: z
      .number()
      .positive()
      .default(1)
      .describe('Time limits are multiplied by this: 2 for a machine half as fast.'),
  })
  .refine((r) => r.memoryLimitMiB >= r.memoryMiB, {
    message: 'has memoryLimitMiB below memoryMiB',
  })
  .prefault({})
  .describe('What a step may use, and how much happens at once.');

const arrivals = z
  .strictObject({
    everyMinutes: z
      .number()
      .int()
      .min(1)
      .default(15)
      .describe('How often delta-md watch looks for new scans.'),
    settledMinutes: z
      .number()
      .min(0)
      .default(5)
      .describe('A session has arrived when none of its files has changed for so many minutes.'),
    followupWithinDays: z
      .number()
      .positive()
      .default(30)
      .describe('How long a subject waits for its second session before it counts as failed.'),
  })
  .prefault({})
  .describe('For delta-md watch, while the trial is still scanning.');

export const studySchema = z
  .strictObject({
    study: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/)
      .describe('Short name: letters, digits, dash, underscore, at most 64. It begins every workflow id.'),
    title: text.optional().describe('Full title for reports.'),
    bids: path.describe('BIDS folder with the raw data. It is only read.'),
    output: path.optional().describe('Folder for results; by default derivatives/delta-md inside bids.'),
    work: path.default('./work').describe('Scratch folder; can be deleted when all is done.'),
    storage: z
      .string()
      .regex(/^(file:\/\/\/|s3:\/\/[^/]+)/, 'is neither file:///FOLDER nor s3://BUCKET/PREFIX')
      .optional()
      .describe(
        'For workers that do not share the work folder: file:///FOLDER or s3://BUCKET/PREFIX, through which they hand files to each other. S3 credentials come from the AWS_ variables of each worker.',
      ),
    sessions,
    select: z
      .record(label, z.union([label, z.array(label).min(1)]))
      .default({})
      .describe('Which sets to use, by entities of their names, such as { acq: b1000 } or { run: [1, 2] }.'),
    acquisition: z
      .record(label, acquisition)
      .default({})
      .describe(
        'What sidecars leave out, per dir- label; "default" stands for sets of any other or no label.',
      ),
    participants: participants.optional(),
    exclude: z
      .record(z.string().regex(/^sub-[A-Za-z0-9]+$/), text)
      .default({})
      .describe('Subjects left out, each with its reason: { sub-12: "scanner upgrade" }.'),
    profile: z
      .enum(Object.keys(PROFILES) as [ProfileName, ...ProfileName[]])
      .default('toolkit')
      .describe(
        `Way of preprocessing. ${Object.values(PROFILES)
          .map((p) => `${p.name}: ${p.summary}`)
          .join(' ')}`,
      ),
    template: path.describe('FA template (NIfTI) that subjects are registered to.'),
    rois,
    runtime,
    resources,
    retries: z
      .strictObject({
        tool: z
          .number()
          .int()
          .min(0)
          .max(10)
          .default(1)
          .describe('Further tries when a tool ends with an error.'),
      })
      .prefault({})
      .describe('How often a step is tried again. Lack of memory, time and machines is answered by itself.'),
    arrivals,
    qc,
    statistics: statistics.optional(),
  })
  .refine((s) => s.statistics === undefined || s.participants !== undefined, {
    path: ['statistics'],
    message: 'needs participants: outcomes and groups are read from the participants file',
    // Also told beside other problems; both fields are looked at only for being there.
    when: ({ value }) => typeof value === 'object' && value !== null,
  });

/** The file's content with defaults filled in; paths as written. */
export type StudyFile = z.output<typeof studySchema>;

/** What a study file says of one direction. */
export type AcquisitionEntry = z.output<typeof acquisition>;

export type Runtime = z.output<typeof runtime>;
export type ArrivalSettings = z.output<typeof arrivals>;
export type ResourceSettings = z.output<typeof resources>;
export type { QcSettings } from './qc-schema.ts';
export type { OutcomeSettings, StatisticsSettings } from './statistics-schema.ts';

/** JSON Schema (2020-12) of the study file, for editors. */
export function studyJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(studySchema, { io: 'input' }) as JsonSchema;
  return { ...schema, title: 'delta-md study file' };
}

/** The part of JSON Schema that {@link studyJsonSchema} uses. */
export interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly [keyword: string]: unknown;
}
