import { access } from 'node:fs/promises';
import { invert, type Matrix4 } from '../../../imaging/affine.ts';
import type { Image } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { readMatrix, writeMatrix } from '../files.ts';
import { COSTS, type CostName } from '../flirt/cost.ts';
import { DEFAULTS, register } from '../flirt/register.ts';
import type { Dof } from '../flirt/transform.ts';
import { displacementField } from '../fnirt/displacement.ts';
import { loadVolume, settingsFromWords } from '../fnirt/index.ts';
import { registerNonlinear } from '../fnirt/register.ts';
import { adaptTo } from '../fnirt/settings.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { stem, type Tool, ToolError } from '../tool.ts';
import { resampleThrough } from '../warp/apply.ts';
import { fieldWarp } from '../warp/warp.ts';

type Key = 'reuse' | 'affine' | 'fa' | 'flirt' | 'fnirt' | 'threads';

/** What the non-linear stage does unless `-fnirt` says otherwise. */
const CONFIGURATION = 'FA_2_FMRIB58_1mm';

/** Affine and non-linear registration of an image to a template: flirt, then fnirt. */
export const fslReg: Tool<Key> = {
  name: 'fsl_reg',
  summary: 'registers an image to a template: affine (flirt), then non-linear (fnirt)',
  usage: 'fsl_reg <input> <reference> <output> [-e] [-a] [-FA] [-flirt "<options>"] [-fnirt "<options>"]',
  flags: {
    reuse: { names: ['-e'], help: 'keep the output where it exists already' },
    affine: { names: ['-a'], help: 'affine registration only' },
    fa: { names: ['-FA'], help: 'FA maps: voxels where the input or the reference is 0 do not count' },
    flirt: {
      names: ['-flirt'],
      value: '"options"',
      help: 'of the affine stage: -dof 6|7|9|12, -cost <name>, -init <matrix>',
    },
    fnirt: {
      names: ['-fnirt'],
      value: '"options"',
      help: "of the non-linear stage: fnirt's, such as --warpres=<mm>, --miter=<n>",
    },
    threads: THREADS_FLAG,
  },
  async run(options, progress) {
    if (options.positional.length !== 3)
      throw new ToolError(
        `fsl_reg: give an input, a reference and an output, not ${options.positional.length} names. See fsl_reg --help.`,
      );
    const [inputName, referenceName] = options.positional;
    const output = stem(options.positional[2]);
    const files = { image: `${output}.nii.gz`, matrix: `${output}.mat`, warp: `${output}_warp.nii.gz` };
    const affineOnly = options.has('affine');
    const flirt = flirtOptions(options.get('flirt') ?? '');
    const { schedule, ...nothing } = await settingsFromWords(
      'fsl_reg',
      options.get('fnirt') ?? '',
      CONFIGURATION,
    );
    const promised = affineOnly ? [files.image, files.matrix] : Object.values(files);
    if (options.has('reuse') && (await exist(promised))) {
      progress(1, `${files.image} exists already`);
      return;
    }
    const init = flirt.init === undefined ? undefined : await readMatrix(flirt.init);
    const input = await loadVolume('fsl_reg', inputName);
    const reference = await loadVolume('fsl_reg', referenceName);
    const fa = options.has('fa');

    const threads = new Threads(threadsOf('fsl_reg', options));
    try {
      const affine = await affineRegistration(
        input,
        reference,
        { ...flirt, init },
        (f) => progress(0.3 * f, 'affine registration'),
        threads,
      );
      const spline = affineOnly
        ? undefined
        : await registerNonlinear(
            threads,
            { image: input, nothing: fa ? nothing.inputNothing : undefined },
            { image: reference, nothing: fa ? nothing.referenceNothing : undefined },
            affine,
            adaptTo(schedule, Math.max(...reference.grid.voxelSizes)),
            (f, message) => progress(0.3 + 0.5 * f, message),
          );
      progress(0.8, 'resampling');
      const field = spline && displacementField(spline, invert(affine), reference.grid);
      const path = field ? { warp: fieldWarp(field) } : { premat: affine };
      const resampled = await resampleThrough(input, reference.grid, path, 'linear', { threads });
      progress(0.9, 'writing');
      await writeMatrix(files.matrix, affine);
      if (field)
        await writeImage(files.warp, field, { description: 'relative displacement, mm, incl. affine' });
      await writeImage(files.image, resampled); // Last: where it exists, all is there.
      progress(1, 'done');
    } finally {
      await threads.close();
    }
  },
};

interface AffineOptions {
  readonly dof: Dof;
  readonly cost: CostName;
  readonly init?: Matrix4;
}

/** @returns FLIRT matrix of input to reference */
async function affineRegistration(
  input: Image,
  reference: Image,
  options: AffineOptions,
  progress: (fraction: number) => void,
  threads: Threads,
): Promise<Matrix4> {
  const found = await register(reference, input, { ...DEFAULTS, ...options }, progress, threads);
  if (!Number.isFinite(found.cost))
    throw new ToolError('fsl_reg: the images do not overlap enough to be registered. Check both, or -init.');
  return found.matrix;
}

async function exist(paths: readonly string[]): Promise<boolean> {
  try {
    await Promise.all(paths.map((path) => access(path)));
    return true;
  } catch {
    return false;
  }
}

function flirtOptions(text: string): { dof: Dof; cost: CostName; init?: string } {
  const known = ['-dof', '-cost', '-init'];
  const given = new Map<string, string>();
  const words = text.split(/[\s=]+/).filter((word) => word !== '');
  for (let i = 0; i < words.length; i += 2) {
    if (!known.includes(words[i]))
      throw new ToolError(`fsl_reg: -flirt option ${words[i]} is not supported. Use ${known.join(', ')}.`);
    if (i + 1 >= words.length) throw new ToolError(`fsl_reg: -flirt option ${words[i]} needs a value.`);
    given.set(words[i], words[i + 1]);
  }
  const dof = Number(given.get('-dof') ?? 12);
  if (dof !== 6 && dof !== 7 && dof !== 9 && dof !== 12)
    throw new ToolError(`fsl_reg: -dof ${given.get('-dof')} is not supported. Use 6, 7, 9 or 12.`);
  const costName = given.get('-cost') ?? DEFAULTS.cost;
  const cost = COSTS.find((name) => name === costName);
  if (cost === undefined)
    throw new ToolError(`fsl_reg: -cost ${costName} is unknown. Use ${COSTS.join(', ')}.`);
  return { dof, cost, init: given.get('-init') };
}
