/** The command `topup`: files in, files out; the estimation is in estimate.ts. */
import { multiply } from '../../../imaging/affine.ts';
import { type Grid, isNeurological, voxelCount } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { type Acquisition, findImage, loadImage, readAcquisitions } from '../files.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Progress, type Tool, ToolError } from '../tool.ts';
import { estimateTopup } from './estimate.ts';
import { evaluateField, reverseX, type TopupResult, writeTopup } from './field.ts';
import { readSchedule, type Schedule } from './schedule.ts';
import { undistort } from './undistort.ts';

/** The grid with x counted radiologically, as FSL does inside. */
function radiological(grid: Grid): Grid {
  if (!isNeurological(grid)) return grid;
  const flip = Float64Array.of(-1, 0, 0, grid.dims[0] - 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  return { ...grid, affine: multiply(grid.affine, flip) };
}

type Key = 'imain' | 'datain' | 'config' | 'out' | 'fout' | 'iout' | 'threads' | 'verbose';

export const topup: Tool<Key> = {
  name: 'topup',
  summary: 'estimates the susceptibility-induced field from images with different phase encoding.',
  usage:
    'topup --imain=<4D image> --datain=<text file> --config=b02b0.cnf --out=<prefix> [--fout=<field>] [--iout=<images>]',
  flags: {
    imain: { names: ['--imain'], value: 'file', required: true, help: '4D file with the images' },
    datain: {
      names: ['--datain'],
      value: 'file',
      required: true,
      help: 'text file: a row per image of phase-encode vector and readout time',
    },
    config: {
      names: ['--config'],
      value: 'file',
      help: 'schedule; b02b0.cnf (default) or a file of its form',
    },
    out: {
      names: ['--out'],
      value: 'prefix',
      required: true,
      help: 'prefix for <prefix>_fieldcoef.nii.gz and <prefix>_movpar.txt',
    },
    fout: { names: ['--fout'], value: 'file', help: 'field in Hz' },
    iout: {
      names: ['--iout'],
      value: 'file',
      help: 'undistorted images, scaled to a common mean; lightly smoothed, and 0 where any has no data, as by FSL',
    },
    threads: THREADS_FLAG,
    verbose: { names: ['-v', '--verbose'], help: 'accepted; progress is always printed' },
  },
  async run(options, progress) {
    const path = await findImage(options.get('imain')!);
    const image = await loadImage(path);
    const { grid } = image;
    const datain = options.get('datain')!;
    const given = await readAcquisitions(datain);
    if (given.length !== image.volumes)
      throw new ToolError(
        `${datain}: has ${given.length} rows, but ${path} has ${image.volumes} volumes. Write one row per volume.`,
      );
    if (
      given.every(
        (a) => `${a.direction} ${a.readoutSeconds}` === `${given[0].direction} ${given[0].readoutSeconds}`,
      )
    )
      throw new ToolError(
        `${datain}: all volumes have the same phase encoding, so there is no distortion to compare. Add volumes acquired with another direction.`,
      );
    const schedule = await readSchedule(options.get('config') ?? 'b02b0.cnf');
    const size = voxelCount(grid);
    const volumes = given.map((_, t) => image.data.slice(t * size, (t + 1) * size));
    scaleToCommonMean(volumes, path, schedule.scale);

    const threads = new Threads(threadsOf('topup', options));
    try {
      const result = await estimate(volumes, grid, given, schedule, threads, progress);
      progress(0.98, 'writing');
      if (!result.field.coefficients.every(Number.isFinite))
        throw new ToolError(`${path}: no field could be estimated. Check that the images show one head.`);
      await writeTopup(options.get('out')!, result, grid);
      const fout = options.get('fout');
      if (fout) await writeImage(imageOutput(fout), { grid, volumes: 1, data: evaluateField(result, grid) });
      const iout = options.get('iout');
      if (iout) {
        const data = await undistort(volumes, grid, given, result, threads);
        await writeImage(imageOutput(iout), { grid, volumes: image.volumes, data });
      }
      progress(1, 'done');
    } finally {
      await threads.close();
    }
  },
};

/** {@link estimateTopup} for volumes in either order of x. */
function estimate(
  volumes: readonly Float32Array[],
  grid: Grid,
  acquisitions: readonly Acquisition[],
  schedule: Schedule,
  threads: Threads,
  progress: Progress,
): Promise<TopupResult> {
  if (!isNeurological(grid)) return estimateTopup(volumes, grid, acquisitions, schedule, threads, progress);
  const reversed = volumes.map((v) => v.slice());
  for (const v of reversed) reverseX(v, grid.dims[0]);
  const seen = acquisitions.map(
    (a): Acquisition => ({ ...a, direction: [-a.direction[0], a.direction[1], 0] }),
  );
  return estimateTopup(reversed, radiological(grid), seen, schedule, threads, progress);
}

/** Scales each volume to the mean of all (distortion moves signal but keeps its sum), or checks only. In place. */
function scaleToCommonMean(volumes: readonly Float32Array[], path: string, scale: boolean): void {
  const means = volumes.map((v) => v.reduce((s, x) => s + x, 0) / v.length);
  const bad = means.findIndex((m) => !(m > 0 && Number.isFinite(m)));
  if (bad >= 0)
    throw new ToolError(
      `${path}: volume ${bad} is empty or holds values that are not numbers. Leave it out.`,
    );
  const common = means.reduce((s, m) => s + m, 0) / means.length;
  if (scale)
    for (const [t, v] of volumes.entries()) for (let o = 0; o < v.length; o++) v[o] *= common / means[t];
}
