import { voxelCount } from '../../../imaging/image.ts';
import type { Interpolation } from '../../../imaging/interpolate.ts';
import { readGrid, writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readMatrix } from '../files.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Tool, ToolError } from '../tool.ts';
import { resampleThrough } from '../warp/apply.ts';
import { readWarp } from '../warp/warp.ts';

const INTERPOLATIONS: Readonly<Record<string, Interpolation>> = {
  nn: 'nearest',
  trilinear: 'linear',
  spline: 'spline',
};

type Key =
  | 'in'
  | 'ref'
  | 'out'
  | 'warp'
  | 'premat'
  | 'postmat'
  | 'interp'
  | 'mask'
  | 'absolute'
  | 'relative'
  | 'super'
  | 'superlevel'
  | 'threads';

/** Most samples along each axis of an output voxel. */
const FINEST = 8;

/** Samples along each axis of an output voxel: FSL's `--super` and `--superlevel`. */
function supersampling(
  wanted: boolean,
  level: string,
  input: readonly number[],
  reference: readonly number[],
): number {
  if (!wanted) return 1;
  // As fine as the input where it is the finer of the two.
  if (level === 'a')
    return Math.min(FINEST, Math.max(1, Math.ceil(Math.max(...reference.map((mm, a) => mm / input[a])))));
  const factor = Number(level);
  if (!Number.isInteger(factor) || factor < 1 || factor > FINEST)
    throw new ToolError(`applywarp: --superlevel=${level} must be a, or a whole number from 1 to ${FINEST}.`);
  return factor;
}

/** Resamples images through matrices and a warp, interpolating once. */
export const applywarp: Tool<Key> = {
  name: 'applywarp',
  summary: 'resamples an image through premat, warp and postmat in one interpolation',
  usage: 'applywarp -i <input> -r <reference> -o <output> [-w <warp>] [options]',
  flags: {
    in: { names: ['-i', '--in'], value: 'image', required: true, help: '3-D or 4-D image to resample' },
    ref: { names: ['-r', '--ref'], value: 'image', required: true, help: 'image whose grid the output has' },
    out: { names: ['-o', '--out'], value: 'image', required: true, help: 'output' },
    warp: {
      names: ['-w', '--warp'],
      value: 'image',
      help: 'displacement field in mm, or coefficients of fnirt --cout',
    },
    premat: { names: ['--premat'], value: 'file', help: "matrix of the input to the warp's source space" },
    postmat: {
      names: ['--postmat'],
      value: 'file',
      help: "matrix of the warp's reference space to the reference",
    },
    interp: { names: ['--interp'], value: 'way', help: 'trilinear (default), spline or nn' },
    mask: { names: ['-m', '--mask'], value: 'image', help: 'reference voxels to fill; others are 0' },
    absolute: { names: ['--abs'], help: 'the field holds coordinates' },
    relative: { names: ['--rel'], help: 'the field holds displacements (default)' },
    super: { names: ['--super'], help: 'average samples between the output voxels' },
    superlevel: {
      names: ['--superlevel'],
      value: 'n',
      help: 'samples of --super along each axis (default 2; a: as fine as the input)',
    },
    threads: THREADS_FLAG,
  },
  async run(options, progress) {
    const way = options.get('interp') ?? 'trilinear';
    if (!Object.hasOwn(INTERPOLATIONS, way))
      throw new ToolError(`applywarp: --interp=${way} is not supported. Use trilinear, spline or nn.`);
    if (options.has('absolute') && options.has('relative'))
      throw new ToolError('applywarp: --abs and --rel exclude each other. Give one.');
    const matrix = (key: 'premat' | 'postmat') => {
      const path = options.get(key);
      return path === undefined ? undefined : readMatrix(path);
    };
    const [premat, postmat] = [await matrix('premat'), await matrix('postmat')];
    const warpName = options.get('warp');
    const warp =
      warpName === undefined
        ? undefined
        : await readWarp(warpName, options.has('absolute') ? 'absolute' : 'relative');
    const image = await loadImage(options.get('in')!);
    const referencePath = await findImage(options.get('ref')!);
    const { grid } = await readGrid(referencePath);
    const maskName = options.get('mask');
    const mask = maskName === undefined ? undefined : (await loadImage(maskName)).data;
    if (mask && mask.length !== voxelCount(grid))
      throw new ToolError(`${maskName}: has not the grid of ${referencePath}. Give a mask of the reference.`);
    // Voxels that are no numbers (0/0 in maps) would spread through the interpolation.
    for (let i = 0; i < image.data.length; i++) if (!Number.isFinite(image.data[i])) image.data[i] = 0;
    const supersample = supersampling(
      options.has('super'),
      options.get('superlevel') ?? '2',
      image.grid.voxelSizes,
      grid.voxelSizes,
    );
    const threads = new Threads(threadsOf('applywarp', options));
    try {
      progress(0, 'resampling');
      const out = await resampleThrough(image, grid, { premat, warp, postmat }, INTERPOLATIONS[way], {
        mask,
        supersample,
        threads,
      });
      progress(0.9, 'writing');
      await writeImage(imageOutput(options.get('out')!), out);
      progress(1, 'done');
    } finally {
      await threads.close();
    }
  },
};
