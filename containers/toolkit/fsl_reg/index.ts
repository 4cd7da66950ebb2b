import { access } from 'node:fs/promises';
import { invert } from '../../../imaging/affine.ts';
import type { Image } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readMatrix, writeMatrix } from '../files.ts';
import { stem, type Tool, ToolError } from '../tool.ts';
import { resampleThrough } from '../warp/apply.ts';
import { fieldWarp } from '../warp/warp.ts';
import { displacementField } from './displacement.ts';
import { reduceReference } from './level.ts';
import type { Dof } from './linear.ts';
import { affineRegistration, nonlinearRegistration, schedule } from './register.ts';

type Key = 'reuse' | 'affine' | 'fa' | 'flirt' | 'fnirt';

/** Affine and non-linear registration of an image to a template. */
export const fslReg: Tool<Key> = {
  name: 'fsl_reg',
  summary: 'registers an image to a template: affine, then non-linear',
  usage: 'fsl_reg <input> <reference> <output> [-e] [-a] [-FA] [-flirt "<options>"] [-fnirt "<options>"]',
  flags: {
    reuse: { names: ['-e'], help: 'keep the output where it exists already' },
    affine: { names: ['-a'], help: 'affine registration only' },
    fa: { names: ['-FA'], help: 'FA maps: only voxels where the reference is not 0 count' },
    flirt: {
      names: ['-flirt'],
      value: '"options"',
      help: 'of the affine stage: -dof 6|7|9|12, -init <matrix>',
    },
    fnirt: {
      names: ['-fnirt'],
      value: '"options"',
      help: 'of the non-linear stage: --warpres=<mm>, --miter=<n>',
    },
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
    const fnirt = fnirtOptions(options.get('fnirt') ?? '');
    const promised = affineOnly ? [files.image, files.matrix] : Object.values(files);
    if (options.has('reuse') && (await exist(promised))) {
      progress(1, `${files.image} exists already`);
      return;
    }
    const start = flirt.init === undefined ? undefined : await readMatrix(flirt.init);
    const input = await loadMap(inputName);
    const reference = await loadMap(referenceName);

    const stages = schedule(Math.max(...reference.grid.voxelSizes), fnirt);
    progress(0, 'affine registration');
    const weight = reference.data.map((v) => (options.has('fa') && v === 0 ? 0 : 1));
    const reduced = reduceReference(reference, weight, stages[stages.length - 1].mm);
    const affine = affineRegistration(input, reduced, flirt.dof, start);
    const spline = affineOnly
      ? undefined
      : nonlinearRegistration(input, reduced, affine, stages, (f, message) =>
          progress(0.2 + 0.6 * f, message),
        );

    progress(0.8, 'resampling');
    const field = spline && displacementField(spline, invert(affine), reference.grid);
    const path = field ? { warp: fieldWarp(field) } : { premat: affine };
    const resampled = resampleThrough(input, reference.grid, path, 'linear');
    progress(0.9, 'writing');
    await writeMatrix(files.matrix, affine);
    if (field)
      await writeImage(files.warp, field, { description: 'relative displacement, mm, incl. affine' });
    await writeImage(files.image, resampled); // Last: where it exists, all is there.
    progress(1, 'done');
  },
};

async function exist(paths: readonly string[]): Promise<boolean> {
  try {
    await Promise.all(paths.map((path) => access(path)));
    return true;
  } catch {
    return false;
  }
}

/** A 3-D image with voxels that are no numbers set to 0. */
async function loadMap(name: string): Promise<Image> {
  const image = await loadImage(name);
  const path = await findImage(name);
  if (image.volumes !== 1)
    throw new ToolError(`${path}: has ${image.volumes} volumes; fsl_reg takes one. Extract one with fslroi.`);
  let [low, high] = [0, 0];
  for (let i = 0; i < image.data.length; i++) {
    if (!Number.isFinite(image.data[i])) image.data[i] = 0;
    low = Math.min(low, image.data[i]);
    high = Math.max(high, image.data[i]);
  }
  if (low === high)
    throw new ToolError(`${path}: holds no image, all its voxels are 0. Check how it was made.`);
  if (image.grid.dims.some((n) => n < 4))
    throw new ToolError(`${path}: is only ${image.grid.dims.join(' x ')} voxels. Give a whole volume.`);
  return image;
}

/** Words of an option string into pairs of a name and a value. */
function words(text: string, of: string, known: readonly string[]): Map<string, string> {
  const out = new Map<string, string>();
  const parts = text.split(/[\s=]+/).filter((word) => word !== '');
  for (let i = 0; i < parts.length; i += 2) {
    if (!known.includes(parts[i]))
      throw new ToolError(`fsl_reg: ${of} option ${parts[i]} is not supported. Use ${known.join(', ')}.`);
    if (i + 1 >= parts.length) throw new ToolError(`fsl_reg: ${of} option ${parts[i]} needs a value.`);
    out.set(parts[i], parts[i + 1]);
  }
  return out;
}

function flirtOptions(text: string): { dof: Dof; init?: string } {
  const given = words(text, '-flirt', ['-dof', '-init']);
  const dof = Number(given.get('-dof') ?? 12);
  if (dof !== 6 && dof !== 7 && dof !== 9 && dof !== 12)
    throw new ToolError(`fsl_reg: -dof ${given.get('-dof')} is not supported. Use 6, 7, 9 or 12.`);
  return { dof, init: given.get('-init') };
}

function fnirtOptions(text: string): { spacing?: number; iterations?: number } {
  const given = words(text, '-fnirt', ['--warpres', '--miter']);
  const number = (name: string, low: number, high: number) => {
    const value = given.get(name);
    if (value === undefined) return undefined;
    // FNIRT takes one number per axis or stage; here one number holds for all.
    const all = value.split(',').map(Number);
    if (!all.every((n) => n === all[0] && n >= low && n <= high))
      throw new ToolError(`fsl_reg: ${name}=${value} is not one number from ${low} to ${high}.`);
    return all[0];
  };
  return { spacing: number('--warpres', 2, 20), iterations: number('--miter', 1, 100) };
}
