import { voxelCount } from '../../../imaging/image.ts';
import type { Interpolation } from '../../../imaging/interpolate.ts';
import { readGrid, writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readMatrix } from '../files.ts';
import { imageOutput, type Tool, ToolError } from '../tool.ts';
import { resampleThrough } from '../warp/apply.ts';
import { readWarp } from '../warp/warp.ts';

const INTERPOLATIONS: Readonly<Record<string, Interpolation>> = {
  nn: 'nearest',
  trilinear: 'linear',
  spline: 'spline',
};

type Key = 'in' | 'ref' | 'out' | 'warp' | 'premat' | 'postmat' | 'interp' | 'mask' | 'absolute' | 'relative';

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
    const out = resampleThrough(image, grid, { premat, warp, postmat }, INTERPOLATIONS[way], {
      mask,
      onSlice: (k) => progress(0.09 * Math.floor((10 * (k + 1)) / grid.dims[2]), 'resampling'),
    });
    await writeImage(imageOutput(options.get('out')!), out);
    progress(1, 'done');
  },
};
