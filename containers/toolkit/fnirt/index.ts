/** FNIRT's command line: non-linear registration of an image to a reference. */
import { identity, invert } from '../../../imaging/affine.ts';
import { type Image, voxelCount } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readMatrix } from '../files.ts';
import { THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { imageOutput, type Options, stem, type Tool, ToolError } from '../tool.ts';
import { resampleThrough } from '../warp/apply.ts';
import { coefficientImage } from '../warp/coefficients.ts';
import { fieldWarp } from '../warp/warp.ts';
import { displacementField, jacobianMap } from './displacement.ts';
import type { Spline } from './nonlinear.ts';
import { registerNonlinear } from './register.ts';
import { loadSettings, SETTINGS } from './settings.ts';

const flags = {
  ref: { names: ['--ref'], value: 'image', required: true, help: 'reference image' },
  in: { names: ['--in'], value: 'image', required: true, help: 'image to warp' },
  aff: { names: ['--aff'], value: 'file', help: "FLIRT's matrix of the input to the reference" },
  config: { names: ['--config'], value: 'name', help: 'configuration: FA_2_FMRIB58_1mm or a .cnf file' },
  cout: {
    names: ['--cout'],
    value: 'image',
    help: 'spline coefficients of the warp (default <in>_warpcoef)',
  },
  iout: { names: ['--iout'], value: 'image', help: 'the warped input' },
  fout: { names: ['--fout'], value: 'image', help: 'displacement field in mm, with the affine in it' },
  jout: { names: ['--jout'], value: 'image', help: 'Jacobian determinants of the warp without its affine' },
  refmask: { names: ['--refmask'], value: 'image', help: 'voxels of the reference that count' },
  inmask: { names: ['--inmask'], value: 'image', help: 'voxels of the input that count' },
  subsamp: { names: ['--subsamp'], value: 'n,...', help: 'subsampling of each level (default 4,2,1,1)' },
  miter: { names: ['--miter'], value: 'n,...', help: 'most iterations of each level (default 5,5,5,5)' },
  infwhm: { names: ['--infwhm'], value: 'mm,...', help: 'smoothing of the input (default 6,4,2,2)' },
  reffwhm: { names: ['--reffwhm'], value: 'mm,...', help: 'smoothing of the reference (default 4,2,0,0)' },
  lambda: { names: ['--lambda'], value: 'w,...', help: 'weight of bending energy (default 300,75,30,30)' },
  estint: { names: ['--estint'], value: '0|1,...', help: 'fit the scale of intensities (default 1)' },
  applyinmask: { names: ['--applyinmask'], value: '0|1,...', help: 'use --inmask (default 1)' },
  applyrefmask: { names: ['--applyrefmask'], value: '0|1,...', help: 'use --refmask (default 1)' },
  warpres: { names: ['--warpres'], value: 'mm,mm,mm', help: 'knot spacing of the last level (default 10)' },
  jacrange: { names: ['--jacrange'], value: 'low,high', help: 'allowed Jacobians (default 0.01,100)' },
  imprefm: {
    names: ['--imprefm'],
    value: '0|1',
    help: 'leave out empty voxels of the reference (default 1)',
  },
  impinm: { names: ['--impinm'], value: '0|1', help: 'leave out empty voxels of the input (default 1)' },
  imprefval: { names: ['--imprefval'], value: 'v', help: 'what empty is in the reference (default 0)' },
  impinval: { names: ['--impinval'], value: 'v', help: 'what empty is in the input (default 0)' },
  intmod: { names: ['--intmod'], value: 'model', help: 'global_linear: one scale for all intensities' },
  regmod: { names: ['--regmod'], value: 'model', help: 'bending_energy' },
  ssqlambda: {
    names: ['--ssqlambda'],
    value: '1',
    help: "lambda counts in units of the residual's variance",
  },
  refderiv: { names: ['--refderiv'], value: '0', help: 'derivatives are those of the input' },
  splineorder: { names: ['--splineorder'], value: '3', help: 'cubic splines' },
  interp: { names: ['--interp'], value: 'linear', help: 'interpolation of the input' },
  threads: THREADS_FLAG,
} as const;
type Key = keyof typeof flags;

/** An image of one volume fit to be registered; voxels that are no numbers are set to 0. */
export async function loadVolume(tool: string, name: string): Promise<Image> {
  const image = await loadImage(name);
  const path = await findImage(name);
  if (image.volumes !== 1)
    throw new ToolError(`${path}: has ${image.volumes} volumes; ${tool} takes one. Extract one with fslroi.`);
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

async function loadMask(name: string | undefined, of: Image): Promise<Float32Array | undefined> {
  if (name === undefined) return undefined;
  const { data } = await loadImage(name);
  if (data.length !== voxelCount(of.grid))
    throw new ToolError(`${name}: has not the grid of its image. Give a mask of the same voxels.`);
  return data;
}

/** A spline's coefficients as FNIRT's file holds them. */
function coefficientsOf({ knots, spacingMm, coefficients }: Spline) {
  const count = knots[0] * knots[1] * knots[2];
  const all = new Float32Array(3 * count);
  coefficients.forEach((c, i) => {
    all.set(c, i * count);
  });
  return { knots, spacingMm, coefficients: all };
}

async function run(
  options: Options<Key>,
  progress: (fraction: number, message: string) => void,
): Promise<void> {
  if (options.positional.length > 0)
    throw new ToolError(`fnirt: what is "${options.positional[0]}"? It belongs to no flag.`);
  const settings = await loadSettings(options.get('config'), (name) => options.get(name));
  const matrix = options.get('aff');
  const affine = matrix === undefined ? identity() : await readMatrix(matrix);
  const input = await loadVolume('fnirt', options.get('in')!);
  const reference = await loadVolume('fnirt', options.get('ref')!);
  const { grid } = reference;
  const inputMask = await loadMask(options.get('inmask'), input);
  const referenceMask = await loadMask(options.get('refmask'), reference);

  const threads = new Threads(threadsOf('fnirt', options));
  try {
    const spline = await registerNonlinear(
      threads,
      { image: input, nothing: settings.inputNothing, mask: inputMask },
      { image: reference, nothing: settings.referenceNothing, mask: referenceMask },
      affine,
      settings.schedule,
      (f, message) => progress(0.8 * f, message),
    );
    progress(0.8, 'writing');
    const linear = invert(affine);
    const out = { fout: options.get('fout'), iout: options.get('iout'), jout: options.get('jout') };
    const { image, options: header } = coefficientImage({ ...coefficientsOf(spline), linear }, grid);
    const cout = options.get('cout') ?? `${stem(options.get('in')!)}_warpcoef`;
    await writeImage(imageOutput(cout), image, header);
    if (out.jout !== undefined) await writeImage(imageOutput(out.jout), jacobianMap(spline, linear, grid));
    if (out.fout !== undefined || out.iout !== undefined) {
      const field = displacementField(spline, linear, grid);
      if (out.fout !== undefined) await writeImage(imageOutput(out.fout), field);
      if (out.iout !== undefined) {
        const path = { warp: fieldWarp(field) };
        await writeImage(
          imageOutput(out.iout),
          await resampleThrough(input, grid, path, 'linear', { threads }),
        );
      }
    }
    progress(1, 'done');
  } finally {
    await threads.close();
  }
}

/** Non-linear registration. */
export const fnirt: Tool<Key> = {
  name: 'fnirt',
  summary: 'registers an image to a reference non-linearly, from an affine on',
  usage: 'fnirt --ref=<image> --in=<image> --aff=<matrix> [--config=FA_2_FMRIB58_1mm] [options]',
  flags,
  run,
};

/** Settings from words as on fnirt's command line, such as fsl_reg's `-fnirt`. */
export async function settingsFromWords(of: string, text: string, configuration: string | undefined) {
  const given = new Map<string, string>();
  const words = text.split(/[\s=]+/).filter((word) => word !== '');
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i].replace(/^--/, '');
    if (!(name === 'config' || SETTINGS.some((known) => known === name)))
      throw new ToolError(
        `${of}: -fnirt option ${words[i]} is not supported. Use --config, --${SETTINGS.join(', --')}.`,
      );
    if (i + 1 >= words.length) throw new ToolError(`${of}: -fnirt option ${words[i]} needs a value.`);
    given.set(name, words[i + 1]);
  }
  return loadSettings(given.get('config') ?? configuration, (name) => given.get(name));
}
