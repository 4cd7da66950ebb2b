/** eddy: movement, eddy-current distortion and outlier slices of diffusion series. */
import { writeFile } from 'node:fs/promises';
import { B0_MAX, formatBvecs, readGradients } from '../../../imaging/gradients.ts';
import { type Image, isNeurological, sameGrid, volumeOf, voxelCount } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readAcquisitions, readTable } from '../files.ts';
import { shared, THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { type Options, stem, type Tool, ToolError } from '../tool.ts';
import { evaluateField, readTopup } from '../topup/field.ts';
import { type Estimate, estimate } from './estimate.ts';
import { cnrMaps, type Finished, finish, restorePairs } from './finish.ts';
import { oppositePairs } from './lsr.ts';
import {
  formatMovementRms,
  formatOutlierMap,
  formatOutlierReport,
  formatParameters,
  movementRms,
  parameterRows,
  rotatedBvecs,
} from './report.ts';
import { SECOND_LEVELS } from './separate.ts';
import { directionsOf, type Series } from './series.ts';
import type { FieldModel } from './warp.ts';

type Key =
  | 'imain'
  | 'mask'
  | 'acqp'
  | 'index'
  | 'bvecs'
  | 'bvals'
  | 'topup'
  | 'field'
  | 'out'
  | 'flm'
  | 'slm'
  | 'fwhm'
  | 'niter'
  | 'resamp'
  | 'repol'
  | 'cnr'
  | 'threads'
  | 'shelled'
  | 'verbose';

/** Smoothing per iteration from --fwhm and --niter: one value for all, or one per iteration. */
function fwhmSchedule(options: Options<Key>): number[] {
  const iterations = options.number('niter', 5);
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > 100)
    throw new ToolError(`--niter=${iterations} is not a whole number from 1 to 100.`);
  const text = options.get('fwhm') ?? '0';
  const given = text.split(',').map(Number);
  if (!given.every((f) => f >= 0 && f < 100))
    throw new ToolError(`--fwhm=${text} is not a list of widths in mm, such as 10,6,4,2,0.`);
  if (given.length > 1 && given.length !== iterations)
    throw new ToolError(
      `--fwhm has ${given.length} values for ${iterations} iterations; give one, or ${iterations}.`,
    );
  return Array.from({ length: iterations }, (_, i) => given[given.length > 1 ? i : 0]);
}

function oneOf<T extends string>(options: Options<Key>, key: Key, choices: readonly T[], fallback: T): T {
  const text = options.get(key) ?? fallback;
  const found = choices.find((c) => c === text);
  if (found === undefined) throw new ToolError(`--${key}=${text} is not one of ${choices.join(', ')}.`);
  return found;
}

/** Rows of --acqp for each volume, by --index. */
async function acquisitionsOf(acqp: string, index: string, volumes: number, image: string) {
  const rows = await readAcquisitions(acqp);
  const numbers = (await readTable(index)).flat();
  if (numbers.length !== volumes)
    throw new ToolError(
      `${index}: has ${numbers.length} numbers where ${image} has ${volumes} volumes. Write one per volume.`,
    );
  return numbers.map((row, t) => {
    if (!rows[row - 1])
      throw new ToolError(
        `${index}: volume ${t} refers to row ${row}, but ${acqp} has ${rows.length} rows. Rows count from 1.`,
      );
    return rows[row - 1];
  });
}

/** Susceptibility field in Hz on the series' grid, from --topup or --field; undefined without either. */
async function fieldOf(options: Options<Key>, image: Image, path: string): Promise<Float32Array | undefined> {
  const [topup, name] = [options.get('topup'), options.get('field')];
  if (topup !== undefined && name !== undefined)
    throw new ToolError('--topup and --field are two sources of one field. Give one of them.');
  if (topup !== undefined) return evaluateField(await readTopup(topup), image.grid);
  if (name === undefined) return undefined;
  const fieldPath = await findImage(name);
  const field = await loadImage(fieldPath);
  if (!sameGrid(field.grid, image.grid, 0.1) || field.volumes !== 1)
    throw new ToolError(
      `${fieldPath}: is ${field.grid.dims.join(' x ')} where ${path} is ${image.grid.dims.join(' x ')}, or placed elsewhere. Give topup's --fout of the same scan.`,
    );
  return field.data;
}

/** Shells are few b values with many directions each; anything else predicts badly. */
function checkShells(series: Series, bvals: string): void {
  const weighted = [...series.bvals.keys()].filter((t) => series.bvals[t] > B0_MAX);
  const { shellB, shellOf } = directionsOf(series, weighted);
  for (const [shell, b] of shellB.entries()) {
    const own = weighted.filter((_, i) => shellOf[i] === shell).map((t) => series.bvals[t]);
    if (own.length < 3 || Math.max(...own) - Math.min(...own) > 200)
      throw new ToolError(
        `${bvals}: the data do not lie on shells (${own.length} volumes around b = ${b.toFixed(0)}). ` +
          'If they were acquired so, say --data_is_shelled.',
      );
  }
}

/** Pairs for --resamp=lsr. */
function pairsOf(series: Series, options: Options<Key>): [number, number][] {
  const pairs = oppositePairs(series, B0_MAX);
  if (typeof pairs === 'number')
    throw new ToolError(
      `${options.get('imain')}: --resamp=lsr needs pairs of opposite phase encoding, but volume ${pairs} has no partner with its b value and direction. Use --resamp=jac.`,
    );
  return pairs;
}

/** Reads everything and checks that it fits together. */
async function readSeries(options: Options<Key>): Promise<{ image: Image; series: Series }> {
  const need = (key: Key) => options.get(key) ?? '';
  const path = await findImage(need('imain'));
  const read = await loadImage(path);
  const image = { ...read, data: shared(read.data) };
  const maskPath = await findImage(need('mask'));
  const mask = await loadImage(maskPath);
  if (!sameGrid(mask.grid, image.grid, 0.1) || mask.volumes !== 1)
    throw new ToolError(
      `${maskPath}: is ${mask.grid.dims.join(' x ')} where ${path} is ${image.grid.dims.join(' x ')}, or placed elsewhere. Make the mask from the series' own b0.`,
    );
  const inside = Uint8Array.from(mask.data, (v) => (v > 0 ? 1 : 0));
  if (inside.reduce((a, b) => a + b, 0) < 1000)
    throw new ToolError(`${maskPath}: holds fewer than 1000 voxels. Make the mask anew (bet).`);
  const bad = image.data.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0)
    throw new ToolError(
      `${path}: volume ${Math.floor(bad / voxelCount(image.grid))} holds values that are not numbers. Convert the scan again.`,
    );
  const acquisitions = await acquisitionsOf(need('acqp'), need('index'), image.volumes, path);
  const { bvals, bvecs } = await readGradients(need('bvals'), need('bvecs'), image.volumes, path);
  const field = await fieldOf(options, image, path);
  const series: Series = {
    frame: { dims: image.grid.dims, voxelSizes: image.grid.voxelSizes },
    volumes: Array.from({ length: image.volumes }, (_, t) => volumeOf(image, t)),
    acquisitions,
    bvals,
    bvecs,
    mask: inside,
    field: field && shared(field),
  };
  if (!options.has('shelled')) checkShells(series, need('bvals'));
  return { image, series };
}

/** Corrects movement and eddy-current distortion (Andersson & Sotiropoulos 2016, NeuroImage 125:1063). */
export const eddy: Tool<Key> = {
  name: 'eddy',
  summary: 'corrects eddy-current distortion, head movement and lost slices of diffusion series.',
  usage:
    '\teddy --imain=dwi --mask=mask --acqp=acqparams.txt --index=index.txt --bvecs=bvecs --bvals=bvals --out=eddy [--topup=topup] [options]',
  flags: {
    imain: { names: ['--imain'], value: 'image', required: true, help: 'the series to correct' },
    mask: { names: ['--mask'], value: 'image', required: true, help: 'mask of the brain' },
    acqp: {
      names: ['--acqp'],
      value: 'file',
      required: true,
      help: 'phase-encode vectors and readout times',
    },
    index: {
      names: ['--index'],
      value: 'file',
      required: true,
      help: 'row of --acqp for each volume, from 1',
    },
    bvecs: { names: ['--bvecs'], value: 'file', required: true, help: 'gradient directions' },
    bvals: { names: ['--bvals'], value: 'file', required: true, help: 'b values' },
    topup: { names: ['--topup'], value: 'prefix', help: "topup's results" },
    field: {
      names: ['--field'],
      value: 'image',
      help: 'susceptibility field in Hz on the grid of the series, instead of --topup',
    },
    out: { names: ['--out'], value: 'prefix', required: true, help: 'stem of all outputs' },
    flm: {
      names: ['--flm'],
      value: 'linear|quadratic',
      help: 'model of the eddy-current field (default quadratic)',
    },
    slm: {
      names: ['--slm'],
      value: 'none|linear|quadratic',
      help: 'model of the field over gradients (default none)',
    },
    fwhm: {
      names: ['--fwhm'],
      value: 'mm,...',
      help: 'smoothing for the estimation: one width, or one per iteration (default 0)',
    },
    niter: { names: ['--niter'], value: 'n', help: 'iterations (default 5)' },
    resamp: {
      names: ['--resamp'],
      value: 'jac|lsr',
      help: 'resampling: jac, spline interpolation with Jacobian modulation; lsr, one volume from each pair of opposite encoding',
    },
    repol: { names: ['--repol'], help: 'replace outlier slices by predictions' },
    cnr: { names: ['--cnr_maps'], help: 'write maps of SNR (b0) and CNR (each shell)' },
    threads: THREADS_FLAG,
    shelled: { names: ['--data_is_shelled'], help: 'do not check that the data lie on shells' },
    verbose: { names: ['--verbose', '--very_verbose', '-v'], help: 'say what is found' },
  },
  async run(options, progress) {
    const out = stem(options.get('out') ?? '');
    const resamp = oneOf(options, 'resamp', ['jac', 'lsr'], 'jac');
    const settings = {
      field: oneOf<FieldModel>(options, 'flm', ['linear', 'quadratic'], 'quadratic'),
      secondLevel: oneOf(options, 'slm', SECOND_LEVELS, 'none'),
      fwhm: fwhmSchedule(options),
    };
    const { image, series } = await readSeries(options);
    const pairs = resamp === 'lsr' ? pairsOf(series, options) : undefined;
    progress(0.05, `read ${image.volumes} volumes of ${image.grid.dims.join(' x ')}`);
    const threads = new Threads(threadsOf('eddy', options));
    let found: Estimate;
    let result: Finished;
    let output: Image;
    try {
      found = await estimate(threads, series, settings, (f, message) => progress(0.05 + 0.6 * f, message));
      result = await finish(
        series,
        found,
        options.has('repol'),
        { ...image, data: new Float32Array(image.data.length) },
        threads,
        (f) => progress(0.65 + 0.24 * f, 'resampling'),
      );
      output = pairs ? await restorePairs(series, found, result, pairs, threads) : result.corrected;
    } finally {
      await threads.close();
    }
    const { outliers } = result;
    if (options.has('verbose')) progress(0.9, `${outliers.length} outlier slices found`);
    if (options.has('cnr')) await writeImage(`${out}.eddy_cnr_maps.nii.gz`, cnrMaps(series, result));
    progress(0.91, 'writing');
    const neurological = isNeurological(image.grid);
    const slices = image.grid.dims[2];
    const texts = {
      eddy_parameters: formatParameters(parameterRows(found.parameters, neurological)),
      eddy_rotated_bvecs: formatBvecs(rotatedBvecs(series, found.parameters, neurological)),
      eddy_movement_rms: formatMovementRms(movementRms(series, found.parameters)),
      eddy_outlier_report: formatOutlierReport(outliers),
      eddy_outlier_map: formatOutlierMap(outliers, image.volumes, slices),
    };
    for (const [name, text] of Object.entries(texts)) await writeFile(`${out}.${name}`, text);
    await writeImage(`${out}.nii.gz`, output);
    progress(1, 'done');
  },
};
