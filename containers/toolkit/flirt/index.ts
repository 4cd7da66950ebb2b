/** FLIRT's command line: linear registration of two images, and resampling through a given transform. */
import { invert, type Matrix4, multiply } from '../../../imaging/affine.ts';
import { type Grid, type Image, sameGrid, volumeOf, voxelToFsl } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage, readMatrix, writeMatrix } from '../files.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Options, type Tool, ToolError } from '../tool.ts';
import { applyToImage, DATATYPES, INTERPOLATIONS, isotropic, isVolume, withoutNaN } from './apply.ts';
import { COSTS, type CostName } from './cost.ts';
import { DEFAULTS, register } from './register.ts';
import type { SearchRange } from './search.ts';
import type { Dof } from './transform.ts';

const flags = {
  in: {
    names: ['-in'],
    value: 'image',
    required: true,
    help: 'image to move (a 4-D image: its first volume)',
  },
  ref: { names: ['-ref'], value: 'image', required: true, help: 'image to move it onto' },
  out: { names: ['-out', '-o'], value: 'image', help: 'the moved image, on the grid of -ref' },
  omat: { names: ['-omat'], value: 'file', help: '4 x 4 matrix from -in to -ref' },
  init: {
    names: ['-init'],
    value: 'file',
    help: 'matrix to start from; degrees of freedom count on top of it',
  },
  applyxfm: { names: ['-applyxfm'], help: 'apply -init (or the headers, with -usesqform); do not register' },
  applyisoxfm: {
    names: ['-applyisoxfm'],
    value: 'mm',
    help: 'as -applyxfm, onto isotropic voxels of this size over the field of view of -ref',
  },
  usesqform: { names: ['-usesqform'], help: 'start from the orientation in the headers' },
  dof: { names: ['-dof'], value: '6|7|9|12', help: 'degrees of freedom (default 12)' },
  refweight: {
    names: ['-refweight'],
    value: 'image',
    help: 'how much each voxel of -ref counts, 0 or more; on its grid',
  },
  inweight: {
    names: ['-inweight'],
    value: 'image',
    help: 'how much each voxel of -in counts, 0 or more; on its grid',
  },
  cost: { names: ['-cost'], value: COSTS.join('|'), help: 'cost function (default corratio)' },
  searchcost: {
    names: ['-searchcost'],
    value: COSTS.join('|'),
    help: 'cost function of the search over rotations (default corratio)',
  },
  searchrx: { names: ['-searchrx'], value: 'min max', words: 2, help: 'angles in degrees (default -90 90)' },
  searchry: { names: ['-searchry'], value: 'min max', words: 2, help: 'angles in degrees (default -90 90)' },
  searchrz: { names: ['-searchrz'], value: 'min max', words: 2, help: 'angles in degrees (default -90 90)' },
  coarsesearch: {
    names: ['-coarsesearch'],
    value: 'degrees',
    help: 'step of the coarse search (default 60)',
  },
  finesearch: { names: ['-finesearch'], value: 'degrees', help: 'step of the fine search (default 18)' },
  nosearch: { names: ['-nosearch'], help: 'no search over rotations' },
  bins: { names: ['-bins'], value: 'number', help: 'histogram bins (default 256)' },
  minsampling: { names: ['-minsampling'], value: 'mm', help: 'finest voxel size that is used (default 1)' },
  interp: {
    names: ['-interp'],
    value: [...INTERPOLATIONS.keys()].join('|'),
    help: 'sampling of -out (default trilinear)',
  },
  datatype: {
    names: ['-datatype'],
    value: [...DATATYPES.keys()].join('|'),
    help: 'type of the voxels of -out (default float)',
  },
  noresampblur: { names: ['-noresampblur'], help: 'do not blur -out where its voxels are larger' },
  schedule: { names: ['-schedule'], value: 'file', help: 'not supported: see -dof, -nosearch, -minsampling' },
  threads: THREADS_FLAG,
} as const;
type Key = keyof typeof flags;

const DEGREE = Math.PI / 180;

/** A flag's value out of a list; FSL's default when absent. */
export function oneOf<T extends string>(
  text: string | undefined,
  of: readonly T[],
  fallback: T,
  flag: string,
): T {
  if (text === undefined) return fallback;
  const found = of.find((x) => x === text);
  if (found === undefined)
    throw new ToolError(`${flag} ${text} is unknown. Choose one of: ${of.join(', ')}.`);
  return found;
}

function positive(
  options: Options<Key>,
  key: 'applyisoxfm' | 'coarsesearch' | 'finesearch' | 'minsampling' | 'bins',
  fallback: number,
): number {
  const value = options.number(key, fallback);
  if (!(value > 0)) throw new ToolError(`${flags[key].names[0]} ${value} must be above 0.`);
  return value;
}

function angleRange(options: Options<Key>, key: 'searchrx' | 'searchry' | 'searchrz'): [number, number] {
  const text = options.get(key);
  if (text === undefined) return [-90 * DEGREE, 90 * DEGREE];
  const [low, high] = text.split(' ').map(Number);
  if (!(low <= high && Math.abs(low) <= 180 && Math.abs(high) <= 180))
    throw new ToolError(
      `${flags[key].names[0]} ${text}: two angles between -180 and 180 are due, the lower first.`,
    );
  return [low * DEGREE, high * DEGREE];
}

function searchRange(options: Options<Key>): SearchRange | undefined {
  if (options.has('nosearch')) return undefined;
  return {
    x: angleRange(options, 'searchrx'),
    y: angleRange(options, 'searchry'),
    z: angleRange(options, 'searchrz'),
    coarse: positive(options, 'coarsesearch', 60) * DEGREE,
    fine: positive(options, 'finesearch', 18) * DEGREE,
  };
}

function degreesOfFreedom(options: Options<Key>): Dof {
  const dof = options.number('dof', 12);
  if (dof === 6 || dof === 7 || dof === 9 || dof === 12) return dof;
  throw new ToolError(`-dof ${dof} is unknown. Choose 6, 7, 9 or 12.`);
}

/** The transform that the headers' world coordinates imply, in FLIRT's convention. */
export function headerTransform(source: Grid, reference: Grid): Matrix4 {
  return multiply(
    voxelToFsl(reference),
    multiply(invert(reference.affine), multiply(source.affine, invert(voxelToFsl(source)))),
  );
}

/** An image without voxels that are no numbers. */
async function loadVolume(name: string): Promise<Image> {
  const image = await loadImage(name);
  withoutNaN(image.data);
  return image;
}

function requireContrast(image: Image, name: string): void {
  if (!isVolume(image.grid.dims))
    throw new ToolError(
      `${name}: is ${image.grid.dims.join(' x ')}; registration needs 4 voxels in each direction.`,
    );
  const first = volumeOf(image, 0);
  if (first.every((v) => v === first[0]))
    throw new ToolError(
      `${name}: all voxels of its first volume are ${first[0]}: nothing to register. Check the image.`,
    );
}

/** Weights for the voxels of an image, of its first volume; undefined where none are asked for. */
async function loadWeight(
  name: string | undefined,
  of: Grid,
  ofName: string,
): Promise<Float32Array | undefined> {
  if (name === undefined) return undefined;
  const image = await loadVolume(name);
  if (!sameGrid(image.grid, of))
    throw new ToolError(`${name}: is not on the grid of ${ofName}. Resample it first (flirt -applyxfm).`);
  const weight = volumeOf(image, 0);
  if (weight.some((w) => w < 0))
    throw new ToolError(`${name}: has weights below 0. Clip them (fslmaths -thr 0).`);
  if (!weight.some((w) => w > 0)) throw new ToolError(`${name}: all weights are 0: nothing would count.`);
  return weight;
}

async function run(
  options: Options<Key>,
  progress: (fraction: number, message: string) => void,
): Promise<void> {
  if (options.has('schedule'))
    throw new ToolError(
      `-schedule ${options.get('schedule')}: schedules are not supported. Say what it is for by -dof, -nosearch, -searchrx/y/z or -minsampling.`,
    );
  const [inName, refName] = [options.get('in') as string, options.get('ref') as string];
  const [out, omat] = [options.get('out'), options.get('omat')];
  if (out === undefined && omat === undefined)
    throw new ToolError('give -out, -omat or both: else nothing is kept.');
  if (options.has('init') && options.has('usesqform'))
    throw new ToolError('-init and -usesqform exclude each other.');
  if (options.positional.length > 0)
    throw new ToolError(`what is "${options.positional[0]}"? It belongs to no flag.`);
  const interpolation = INTERPOLATIONS.get(
    oneOf(options.get('interp'), [...INTERPOLATIONS.keys()], 'trilinear', '-interp'),
  );
  const type = DATATYPES.get(oneOf(options.get('datatype'), [...DATATYPES.keys()], 'float', '-datatype'));
  const isotropicMm = options.has('applyisoxfm') ? positive(options, 'applyisoxfm', 1) : undefined;
  const threadCount = threadsOf('flirt', options);
  const cost: CostName = oneOf(options.get('cost'), COSTS, DEFAULTS.cost, '-cost');
  const searchCost: CostName = oneOf(options.get('searchcost'), COSTS, DEFAULTS.searchCost, '-searchcost');
  const dof = degreesOfFreedom(options);
  const search = searchRange(options);
  const bins = Math.min(4096, Math.round(positive(options, 'bins', DEFAULTS.bins)));
  const finest = positive(options, 'minsampling', DEFAULTS.finest);

  const image = await loadVolume(inName);
  const reference = await loadVolume(refName);
  const initName = options.get('init');
  const init =
    initName !== undefined
      ? await readTransform(initName)
      : options.has('usesqform')
        ? headerTransform(image.grid, reference.grid)
        : undefined;
  let transform: Matrix4;
  if (options.has('applyxfm') || isotropicMm !== undefined) {
    if (!init)
      throw new ToolError('-applyxfm and -applyisoxfm need the transform: give -init, or -usesqform.');
    transform = init;
  } else {
    requireContrast(image, inName);
    requireContrast(reference, refName);
    const weights = {
      reference: await loadWeight(options.get('refweight'), reference.grid, refName),
      source: await loadWeight(options.get('inweight'), image.grid, inName),
    };
    const threads = new Threads(threadCount);
    const found = await register(
      { grid: reference.grid, data: volumeOf(reference, 0), weight: weights.reference },
      { grid: image.grid, data: volumeOf(image, 0), weight: weights.source },
      { dof, cost, searchCost, bins, finest, init, search },
      progress,
      threads,
    ).finally(() => threads.close());
    if (!Number.isFinite(found.cost))
      throw new ToolError(
        `${inName} and ${refName} do not overlap enough to be registered. Check both, or -init.`,
      );
    transform = found.matrix;
  }
  if (omat !== undefined) await writeMatrix(omat, transform);
  if (out !== undefined) {
    const target = isotropicMm === undefined ? reference.grid : isotropic(reference.grid, isotropicMm);
    const blur = !options.has('noresampblur');
    const moved = applyToImage(image, target, transform, interpolation ?? 'linear', blur);
    await writeImage(imageOutput(out), moved, { type });
  }
  progress(1, 'done');
}

/** Reads a matrix that can be inverted. */
export async function readTransform(path: string): Promise<Matrix4> {
  const m = await readMatrix(path);
  try {
    invert(m);
  } catch {
    throw new ToolError(`${path}: the matrix is singular. It must map one space onto the other.`);
  }
  return m;
}

export const flirt: Tool<Key> = {
  name: 'flirt',
  summary: 'Linear registration, and resampling through a linear transform.',
  usage: [
    '\tflirt [options] -in <image> -ref <image> -out <image> -omat <matrix>',
    '\tflirt [options] -in <image> -ref <image> -applyxfm -init <matrix> -out <image>',
  ].join('\n'),
  flags,
  run,
};
