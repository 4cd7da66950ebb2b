/** Invwarp's command line: the inverse of a warp. */
import { readGrid, writeImage } from '../../../imaging/nifti.ts';
import { findImage } from '../files.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Options, type Tool, ToolError } from '../tool.ts';
import { absoluteField } from '../warp/field.ts';
import { readWarp } from '../warp/warp.ts';
import { constrainField } from './constrain.ts';
import { inverseField } from './invert.ts';
import { forLinearReading } from './quasi.ts';

const flags = {
  warp: {
    names: ['-w', '--warp'],
    value: 'image',
    required: true,
    help: 'displacement field in mm, or coefficients of fnirt --cout',
  },
  ref: {
    names: ['-r', '--ref'],
    value: 'image',
    required: true,
    help: 'image whose grid the inverse has: what was the input of the warp',
  },
  out: { names: ['-o', '--out'], value: 'image', required: true, help: 'displacement field of the inverse' },
  absolute: { names: ['--abs'], help: 'fields hold coordinates: the warp, and the inverse' },
  relative: { names: ['--rel'], help: 'fields hold displacements (default)' },
  noconstraint: { names: ['--noconstraint'], help: 'do not keep the Jacobian within its bounds' },
  jmin: { names: ['--jmin'], value: 'value', help: 'least Jacobian of the inverse (default 0.01)' },
  jmax: { names: ['--jmax'], value: 'value', help: 'largest Jacobian of the inverse (default 100)' },
  threads: THREADS_FLAG,
} as const;
type Key = keyof typeof flags;

async function run(
  options: Options<Key>,
  progress: (fraction: number, message: string) => void,
): Promise<void> {
  if (options.has('absolute') && options.has('relative'))
    throw new ToolError('invwarp: --abs and --rel exclude each other. Give one.');
  const [least, most] = [options.number('jmin', 0.01), options.number('jmax', 100)];
  if (!(least < most)) throw new ToolError(`invwarp: --jmin=${least} must be below --jmax=${most}.`);
  const name = options.get('warp')!;
  const warp = await readWarp(name, options.has('absolute') ? 'absolute' : 'relative');
  const { grid } = await readGrid(await findImage(options.get('ref')!));
  const threads = new Threads(threadsOf('invwarp', options));
  try {
    progress(0, 'inverting');
    const exact = await inverseField(warp, grid, threads);
    if (!exact)
      throw new ToolError(`${name}: takes all points to a plane or less and has no inverse. Check the warp.`);
    const field = forLinearReading(exact);
    progress(0.7, 'keeping the Jacobian within bounds');
    const left = options.has('noconstraint') ? 0 : constrainField(field, least, most);
    if (left > 0)
      throw new ToolError(
        `${name}: folds too much to be inverted: ${left} voxels stay out of --jmin and --jmax. Make the warp again with more --lambda, or give --noconstraint.`,
      );
    progress(0.9, 'writing');
    await writeImage(
      imageOutput(options.get('out')!),
      options.has('absolute') ? absoluteField(field) : field,
    );
    progress(1, 'done');
  } finally {
    await threads.close();
  }
}

/** Inverts a warp. */
export const invwarp: Tool<Key> = {
  name: 'invwarp',
  summary: 'inverts a warp',
  usage: 'invwarp -w <warp> -r <reference> -o <inverse> [options]',
  flags,
  run,
};
