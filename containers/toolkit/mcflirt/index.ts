/** MCFLIRT's command line: head-motion correction of a series. */
import { mkdir, rm } from 'node:fs/promises';
import type { Matrix4 } from '../../../imaging/affine.ts';
import { type Image, sameGrid, volumeOf } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage, writeMatrix, writeText } from '../files.ts';
import { isVolume, type Sampling, withoutNaN } from '../flirt/apply.ts';
import { COSTS, type CostName } from '../flirt/cost.ts';
import { oneOf } from '../flirt/index.ts';
import { centreOfMass, type Dof, rigidParameters } from '../flirt/transform.ts';
import { shared, THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Options, type Progress, stem, type Tool, ToolError } from '../tool.ts';
import { correctMotion, displacements, estimateMotion, type MotionOptions, meanVolume } from './correct.ts';

const flags = {
  in: { names: ['-in'], value: 'image', required: true, help: 'the series' },
  out: { names: ['-out', '-o'], value: 'name', help: 'output, and stem of further files (default <in>_mcf)' },
  refvol: {
    names: ['-refvol'],
    value: 'n',
    help: 'reference volume, counted from 0 (default: the middle one)',
  },
  reffile: { names: ['-reffile', '-r'], value: 'image', help: 'reference image on the same grid' },
  meanvol: { names: ['-meanvol'], help: 'reference: the mean of the series after a first correction' },
  cost: { names: ['-cost'], value: COSTS.join('|'), help: 'cost function (default normcorr)' },
  dof: { names: ['-dof'], value: '6|7|9|12', help: 'degrees of freedom (default 6)' },
  bins: { names: ['-bins'], value: 'number', help: 'histogram bins (default 256)' },
  stages: {
    names: ['-stages'],
    value: '1-3',
    help: 'stages: at 8 mm, 4 mm and the own voxels (default 3)',
  },
  smooth: {
    names: ['-smooth'],
    value: 'mm',
    help: 'smoothing of the cost at the field-of-view edge (default 1)',
  },
  mats: { names: ['-mats'], help: 'write matrices to <out>.mat/MAT_0000 ...' },
  plots: {
    names: ['-plots'],
    help: 'write parameters to <out>.par: rotations in radians, translations in mm',
  },
  rmsrel: {
    names: ['-rmsrel'],
    help: 'write RMS displacement between volumes: <out>_rel.rms, <out>_rel_mean.rms',
  },
  rmsabs: {
    names: ['-rmsabs'],
    help: 'write RMS displacement from the reference: <out>_abs.rms, <out>_abs_mean.rms',
  },
  spline: { names: ['-spline_final'], help: 'spline interpolation of the output' },
  sinc: { names: ['-sinc_final'], help: 'sinc interpolation of the output' },
  nearest: { names: ['-nn_final'], help: 'nearest-neighbour interpolation of the output' },
  threads: THREADS_FLAG,
} as const;
type Key = keyof typeof flags;

/** What volumes are registered to. */
interface Reference {
  readonly data: Float32Array;
  /** The volume of the series that it is, if any. */
  readonly volume: number | undefined;
  /** As an error message calls it. */
  readonly name: string;
}

async function chooseReference(options: Options<Key>, series: Image, inName: string): Promise<Reference> {
  const middle = Math.floor(series.volumes / 2);
  const file = options.get('reffile');
  if ([file !== undefined, options.has('refvol'), options.has('meanvol')].filter(Boolean).length > 1)
    throw new ToolError('-refvol, -reffile and -meanvol exclude each other.');
  if (file !== undefined) {
    const image = await loadImage(file);
    if (!sameGrid(image.grid, series.grid))
      throw new ToolError(`${file}: is not on the grid of ${inName}. Resample it first (flirt -applyxfm).`);
    return { data: withoutNaN(volumeOf(image, 0)), volume: undefined, name: file };
  }
  const volume = options.number('refvol', middle);
  if (!Number.isInteger(volume) || volume < 0 || volume >= series.volumes)
    throw new ToolError(`-refvol ${volume}: ${inName} has volumes 0 to ${series.volumes - 1}.`);
  return { data: volumeOf(series, volume), volume, name: `volume ${volume} of ${inName}` };
}

function motionOptions(options: Options<Key>): MotionOptions {
  const cost: CostName = oneOf(options.get('cost'), COSTS, 'normcorr', '-cost');
  const dof = Number(oneOf(options.get('dof'), ['6', '7', '9', '12'], '6', '-dof')) as Dof;
  const stages = Number(oneOf(options.get('stages'), ['1', '2', '3'], '3', '-stages'));
  const [bins, smooth] = [Math.round(options.number('bins', 256)), options.number('smooth', 1)];
  if (!(bins > 0 && bins <= 4096)) throw new ToolError(`-bins ${bins} must lie between 1 and 4096.`);
  if (!(smooth >= 0)) throw new ToolError(`-smooth ${smooth} must not be negative.`);
  return { cost, dof, bins, stages, smooth };
}

async function run(options: Options<Key>, progress: Progress): Promise<void> {
  const inName = options.get('in') as string;
  const settings = motionOptions(options);
  if (options.positional.length > 0)
    throw new ToolError(`what is "${options.positional[0]}"? It belongs to no flag.`);
  const interpolation = finalSampling(options);
  const threadCount = threadsOf('mcflirt', options);
  const loaded = await loadImage(inName);
  const series: Image = { ...loaded, data: shared(withoutNaN(loaded.data)) };
  if (!isVolume(series.grid.dims))
    throw new ToolError(
      `${inName}: is ${series.grid.dims.join(' x ')}; registration needs 4 voxels in each direction.`,
    );
  const reference = await chooseReference(options, series, inName);
  const threads = new Threads(threadCount);
  try {
    const passes = options.has('meanvol') ? 2 : 1;
    const estimate = async (pass: number, { data, volume, name }: Reference): Promise<Matrix4[]> => {
      const found = await estimateMotion(series, data, volume, settings, threads, (f) =>
        progress(
          (0.9 * (pass + f)) / passes,
          `volume ${Math.round(f * series.volumes)} of ${series.volumes}`,
        ),
      );
      return found.map((m, t) => {
        if (m) return m;
        throw new ToolError(
          `${inName}: volume ${t} cannot be registered to ${name}: one has no contrast. Look at both; remove an empty volume (fslroi, fslmerge).`,
        );
      });
    };
    let transforms = await estimate(0, reference);
    let to = reference;
    if (passes === 2) {
      const mean = meanVolume(await correctMotion(series, transforms, 'linear', threads));
      to = { data: mean, volume: undefined, name: `the mean of ${inName}` };
      transforms = await estimate(1, to);
    }
    const corrected = await correctMotion(series, transforms, interpolation, threads);
    progress(0.95, 'writing');
    await write(options, options.get('out') ?? `${stem(inName)}_mcf`, corrected, transforms, to.data);
  } finally {
    await threads.close();
  }
  progress(1, 'done');
}

/** How the output is sampled. */
function finalSampling(options: Options<Key>): Sampling {
  const chosen = (['spline', 'sinc', 'nearest'] as const).filter((key) => options.has(key));
  if (chosen.length > 1) throw new ToolError('-spline_final, -sinc_final and -nn_final exclude each other.');
  return chosen[0] ?? 'linear';
}

const lines = (rows: readonly (readonly number[])[]) =>
  rows.map((row) => `${row.map((v) => Number(v.toPrecision(9))).join('  ')}  \n`).join('');
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

async function write(
  options: Options<Key>,
  out: string,
  corrected: Image,
  transforms: readonly Matrix4[],
  reference: Float32Array,
): Promise<void> {
  const centre = centreOfMass(reference, corrected.grid);
  const { absolute, relative } = displacements(transforms, centre);
  if (options.has('mats')) {
    // Matrices of an earlier, longer series would be taken for this one's.
    await rm(`${out}.mat`, { recursive: true, force: true });
    await mkdir(`${out}.mat`, { recursive: true });
    for (const [t, m] of transforms.entries())
      await writeMatrix(`${out}.mat/MAT_${String(t).padStart(4, '0')}`, m);
  }
  if (options.has('plots'))
    await writeText(`${out}.par`, lines(transforms.map((m) => rigidParameters(m, centre))));
  if (options.has('rmsrel')) {
    await writeText(`${out}_rel.rms`, lines(relative.map((v) => [v])));
    await writeText(`${out}_rel_mean.rms`, lines([[mean(relative)]]));
  }
  if (options.has('rmsabs')) {
    await writeText(`${out}_abs.rms`, lines(absolute.map((v) => [v])));
    await writeText(`${out}_abs_mean.rms`, lines([[mean(absolute)]]));
  }
  if (options.has('meanvol'))
    await writeImage(`${out}_mean_reg.nii.gz`, { grid: corrected.grid, volumes: 1, data: reference });
  await writeImage(imageOutput(out), corrected);
}

export const mcflirt: Tool<Key> = {
  name: 'mcflirt',
  summary: 'Corrects head motion in a series by rigid registration of each volume.',
  usage: '\tmcflirt -in <image> [-out <name>] [options]',
  flags,
  run,
};
