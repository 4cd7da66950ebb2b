/** Convertwarp's command line: a chain of matrices, warps and a shift map into one displacement field. */
import { invert } from '../../../imaging/affine.ts';
import { type Image, voxelCount, voxelToFsl } from '../../../imaging/image.ts';
import { readGrid, writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readMatrix } from '../files.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Options, type Tool, ToolError } from '../tool.ts';
import { absoluteField, composeField, fieldJacobian, type Link } from '../warp/field.ts';
import { fieldWarp, readWarp } from '../warp/warp.ts';

const flags = {
  ref: { names: ['-r', '--ref'], value: 'image', required: true, help: 'image whose grid the field has' },
  out: { names: ['-o', '--out'], value: 'image', required: true, help: 'displacement field in mm' },
  premat: { names: ['-m', '--premat'], value: 'file', help: 'matrix applied first, before --warp1' },
  warp1: { names: ['-w', '--warp1'], value: 'image', help: 'warp applied after --premat' },
  midmat: { names: ['--midmat'], value: 'file', help: 'matrix between --warp1 and --warp2' },
  warp2: { names: ['--warp2'], value: 'image', help: 'warp applied after --midmat' },
  postmat: { names: ['--postmat'], value: 'file', help: 'matrix applied last' },
  shiftmap: {
    names: ['-s', '--shiftmap'],
    value: 'image',
    help: "shifts in the input's voxels, applied before all else",
  },
  shiftdir: { names: ['-d', '--shiftdir'], value: 'axis', help: 'of --shiftmap: x, y, z, x-, y- or z-' },
  jacobian: { names: ['-j', '--jacobian'], value: 'image', help: 'Jacobian determinants of the field' },
  absolute: { names: ['--abs'], help: 'warps that are fields hold coordinates' },
  relative: { names: ['--rel'], help: 'warps that are fields hold displacements (default)' },
  absout: { names: ['--absout'], help: 'write coordinates' },
  relout: { names: ['--relout'], help: 'write displacements (default)' },
  threads: THREADS_FLAG,
} as const;
type Key = keyof typeof flags;

/** A shift map as a field of displacements in the input's FSL mm. */
function shiftField(map: Image, direction: string): Image {
  const match = /^([xyz])(-?)$/.exec(direction);
  if (!match) throw new ToolError(`convertwarp: --shiftdir=${direction} is none of x, y, z, x-, y-, z-.`);
  const axis = 'xyz'.indexOf(match[1]);
  const n = voxelCount(map.grid);
  // FSL's x runs against the voxels where they are stored neurologically.
  const mm = voxelToFsl(map.grid)[5 * axis] * (match[2] === '-' ? -1 : 1);
  const data = new Float32Array(3 * n);
  for (let o = 0; o < n; o++) data[axis * n + o] = mm * map.data[o];
  return { grid: map.grid, volumes: 3, data };
}

/** The chain from reference points to input points: what is applied last to the image comes first. */
async function chainOf(options: Options<Key>): Promise<Link[]> {
  const links: Link[] = [];
  const meaning = options.has('absolute') ? 'absolute' : 'relative';
  for (const key of ['postmat', 'warp2', 'midmat', 'warp1', 'premat'] as const) {
    const name = options.get(key);
    if (name === undefined) continue;
    if (key === 'warp1' || key === 'warp2') links.push({ warp: await readWarp(name, meaning) });
    else links.push({ matrix: invert(await readMatrix(name)) });
  }
  const shiftmap = options.get('shiftmap');
  if (shiftmap !== undefined) {
    const map = await loadImage(shiftmap);
    const direction = options.get('shiftdir');
    if (direction === undefined)
      throw new ToolError('convertwarp: --shiftmap needs --shiftdir: x, y, z, x-, y- or z-.');
    if (map.volumes !== 1)
      throw new ToolError(`${shiftmap}: a shift map has one volume, not ${map.volumes}.`);
    links.push({ warp: fieldWarp(shiftField(map, direction)) });
  }
  return links;
}

async function run(
  options: Options<Key>,
  progress: (fraction: number, message: string) => void,
): Promise<void> {
  if (options.has('absolute') && options.has('relative'))
    throw new ToolError('convertwarp: --abs and --rel exclude each other. Give one.');
  if (options.has('absout') && options.has('relout'))
    throw new ToolError('convertwarp: --absout and --relout exclude each other. Give one.');
  const links = await chainOf(options);
  if (links.length === 0)
    throw new ToolError('convertwarp: give a warp, a matrix or a shift map: there is nothing to convert.');
  const { grid } = await readGrid(await findImage(options.get('ref')!));
  const threads = new Threads(threadsOf('convertwarp', options));
  try {
    progress(0, 'composing');
    const field = await composeField(links, grid, threads);
    progress(0.7, 'writing');
    const jacobian = options.get('jacobian');
    if (jacobian !== undefined)
      await writeImage(imageOutput(jacobian), { grid, volumes: 1, data: fieldJacobian(field) });
    await writeImage(imageOutput(options.get('out')!), options.has('absout') ? absoluteField(field) : field);
    progress(1, 'done');
  } finally {
    await threads.close();
  }
}

/** Composes transforms. */
export const convertwarp: Tool<Key> = {
  name: 'convertwarp',
  summary: 'combines matrices, warps and a shift map into one displacement field',
  usage:
    'convertwarp -r <reference> -o <field> [--premat=<m>] [--warp1=<w>] [--midmat=<m>] [--warp2=<w>] [--postmat=<m>]',
  flags,
  run,
};
