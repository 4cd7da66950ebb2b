/** dtifit: a diffusion tensor in every voxel of a mask. */
import { readGradients } from '../../../imaging/gradients.ts';
import { type Image, sameGrid } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage } from '../files.ts';
import { pieces, THREADS_FLAG, Threads, threadsOf } from '../threads.ts';
import { type Flag, type Options, type Tool, ToolError } from '../tool.ts';
import { determinesTensor, ESTIMATORS, type Estimator } from './fit.ts';
import { type FitInput, fitMaps, type MapName } from './maps.ts';

/** FSL's options that this tool does not have, with what to do instead. */
const REFUSED = {
  kurt: { names: ['--kurt'], remedy: 'kurtosis takes FSL itself and two shells of b values' },
  kurtdir: { names: ['--kurtdir'], remedy: 'kurtosis takes FSL itself and two shells of b values' },
  confounds: { names: ['--cni'], value: 'file', remedy: 'remove confounds from the signals first' },
  small: { names: ['--littlebit'], remedy: 'cut a region out with fslroi' },
  zmin: { names: ['-z', '--zmin'], value: 'n', remedy: 'fit the region by its mask' },
  zmax: { names: ['-Z', '--zmax'], value: 'n', remedy: 'fit the region by its mask' },
  ymin: { names: ['-y', '--ymin'], value: 'n', remedy: 'fit the region by its mask' },
  ymax: { names: ['-Y', '--ymax'], value: 'n', remedy: 'fit the region by its mask' },
  xmin: { names: ['-x', '--xmin'], value: 'n', remedy: 'fit the region by its mask' },
  xmax: { names: ['-X', '--xmax'], value: 'n', remedy: 'fit the region by its mask' },
} as const;
type Refused = keyof typeof REFUSED;
const refused = Object.keys(REFUSED) as Refused[];

type Key =
  | ('data' | 'mask' | 'bvecs' | 'bvals' | 'out' | 'wls' | 'fit' | 'sse' | 'tensor' | 'gradnonlin')
  | ('threads' | 'verbose' | Refused);

/** Fewer voxels than this are fitted before a thread has started. */
const WORTH_THREADS = 20_000;

export const dtifit: Tool<Key> = {
  name: 'dtifit',
  summary: 'fits a diffusion tensor in every voxel of a mask.',
  usage: `dtifit -k <data> -m <mask> -r <bvecs> -b <bvals> -o <basename> [--wls] [--sse] [--save_tensor]

Writes <basename>_FA _MD _MO _S0 _L1 _L2 _L3 _V1 _V2 _V3. Signals that are zero, negative or no number are left out of
their voxel's fit, but --wls takes zero and less as 1, as FSL does. A voxel is zero where too few are left, or where MD comes
out above 0.01 mm2/s. Eigenvalues stay as fitted, negative ones too.`,
  flags: {
    data: {
      names: ['-k', '--data'],
      value: 'file',
      required: true,
      help: 'diffusion-weighted volumes (4-D)',
    },
    mask: { names: ['-m', '--mask'], value: 'file', required: true, help: 'voxels to fit' },
    bvecs: { names: ['-r', '--bvecs'], value: 'file', required: true, help: 'b vectors' },
    bvals: { names: ['-b', '--bvals'], value: 'file', required: true, help: 'b values, s/mm2' },
    out: { names: ['-o', '--out'], value: 'basename', required: true, help: 'stem of the output names' },
    wls: { names: ['-w', '--wls'], help: 'as --fit=wls; FSL has this one and ols' },
    fit: {
      names: ['--fit'],
      value: ESTIMATORS.join('|'),
      help: 'weights: none (default); measured signal squared; predicted signal squared; the latter without outliers',
    },
    sse: { names: ['--sse'], help: 'also write the sum of squared errors of the signal' },
    tensor: { names: ['--save_tensor'], help: 'also write the tensor: Dxx Dxy Dxz Dyy Dyz Dzz' },
    gradnonlin: {
      names: ['--gradnonlin'],
      value: 'file',
      help: 'deviations of the gradients in each voxel, nine volumes (grad_dev of the Human Connectome Project)',
    },
    threads: THREADS_FLAG,
    verbose: { names: ['-V', '--verbose'], help: 'say how many voxels had unusable signals' },
    ...(Object.fromEntries(
      refused.map((key) => [key, { ...REFUSED[key], help: `refused: ${REFUSED[key].remedy}` }]),
    ) as unknown as Record<Refused, Flag>),
  },

  async run(options, progress) {
    for (const key of refused)
      if (options.has(key))
        throw new ToolError(`dtifit: ${REFUSED[key].names[0]} is not supported: ${REFUSED[key].remedy}.`);
    const maskName = options.get('mask') ?? '';
    const estimator = estimatorOf(options);
    const count = threadsOf('dtifit', options);
    progress(0, 'reading');
    const mask = await loadImage(maskName);
    const voxels = insideOf(mask.data);
    if (voxels.length === 0) throw new ToolError(`${maskName}: is empty. Check the brain extraction.`);
    // Threads start while the volumes are read.
    const threads = new Threads(voxels.length < WORTH_THREADS ? 1 : count);
    const { maps, counts } = await readInput(options, mask, voxels)
      .then((input) => {
        progress(0.3, 'fitting');
        return fitMaps({ ...input, estimator, withErrors: options.has('sse') }, threads);
      })
      .finally(() => threads.close());
    if (counts.failed === voxels.length)
      throw new ToolError(
        `${options.get('data')}: no voxel of the mask has enough positive signals for a fit.`,
      );
    if (options.has('verbose'))
      process.stdout.write(
        `${voxels.length} voxels; ${counts.incomplete} with unusable signals in some volume, ${counts.failed} of them without a tensor; ${counts.outliers} outlying signals left out\n`,
      );

    const names = (Object.keys(maps) as MapName[]).filter(
      (name) => (name !== 'sse' || options.has('sse')) && (name !== 'tensor' || options.has('tensor')),
    );
    // The largest first, so that none is left alone at the end.
    const queue = names.sort((a, b) => maps[b].length - maps[a].length);
    const writeOneByOne = async () => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        progress(1 - (queue.length + 1) * 0.03, `writing ${name}`);
        await writeImage(`${options.get('out')}_${name}.nii.gz`, onGrid(maps[name], voxels, mask));
      }
    };
    await Promise.all(Array.from({ length: count }, writeOneByOne));
    progress(1, 'done');
  },
};

/** Signals, gradients and their deviations in the voxels of the mask. */
async function readInput(
  options: Options<Key>,
  mask: Image,
  voxels: Int32Array,
): Promise<Pick<FitInput, 'signals' | 'gradients' | 'deviations'>> {
  const [dataName, bvecsName] = [options.get('data') ?? '', options.get('bvecs') ?? ''];
  const image = await loadImage(dataName);
  if (mask.volumes !== 1 || !sameGrid(mask.grid, image.grid))
    throw new ToolError(
      `${options.get('mask')}: is not on the grid of ${dataName}. Make the mask from this image.`,
    );
  const gradients = await readGradients(options.get('bvals') ?? '', bvecsName, image.volumes, dataName);
  if (!determinesTensor(gradients))
    throw new ToolError(
      `${bvecsName}: these gradients do not determine a tensor. It takes at least six directions and a volume of another b value, such as b = 0.`,
    );
  const deviations = await deviationsOf(options.get('gradnonlin'), image, dataName, voxels);
  return { signals: perVoxel(image, voxels), gradients, deviations };
}

function estimatorOf(options: Options<Key>): Estimator {
  const name = options.get('fit') ?? (options.has('wls') ? 'wls' : 'ols');
  const estimator = ESTIMATORS.find((known) => known === name);
  if (!estimator) throw new ToolError(`dtifit: --fit=${name}: choose ${ESTIMATORS.join(', ')}.`);
  if (options.has('wls') && estimator !== 'wls')
    throw new ToolError(`dtifit: --wls and --fit=${name} contradict each other. Give one of them.`);
  return estimator;
}

/** Numbers of the voxels above zero. */
function insideOf(mask: Float32Array): Int32Array {
  let count = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i] > 0) count++;
  const out = new Int32Array(count);
  for (let i = 0, o = 0; i < mask.length; i++) if (mask[i] > 0) out[o++] = i;
  return out;
}

/** Values of the chosen voxels, voxel after voxel, in memory that threads share. */
function perVoxel({ data, volumes }: Image, voxels: Int32Array): Float32Array {
  const n = data.length / volumes;
  const out = new Float32Array(new SharedArrayBuffer(4 * voxels.length * volumes));
  // In pieces whose output stays in the processor's cache while the volumes are gone through.
  for (const [first, end] of pieces(voxels.length, 512))
    for (let t = 0; t < volumes; t++)
      for (let i = first; i < end; i++) out[i * volumes + t] = data[t * n + voxels[i]];
  return out;
}

/** Puts values of the chosen voxels (components one after the other) into an image; 0 elsewhere. */
function onGrid(values: Float32Array, voxels: Int32Array, { grid, data: { length } }: Image): Image {
  const volumes = values.length / voxels.length;
  const data = new Float32Array(volumes * length);
  for (let c = 0; c < volumes; c++)
    for (let i = 0; i < voxels.length; i++) data[c * length + voxels[i]] = values[c * voxels.length + i];
  return { grid, volumes, data };
}

async function deviationsOf(
  name: string | undefined,
  image: Image,
  dataName: string,
  voxels: Int32Array,
): Promise<Float32Array | undefined> {
  if (name === undefined) return undefined;
  const deviations = await loadImage(name);
  if (deviations.volumes !== 9)
    throw new ToolError(
      `${name}: has ${deviations.volumes} volumes where nine are due. Join the three images of x, y and z with fslmerge -t, as fractions rather than per cent.`,
    );
  if (!sameGrid(deviations.grid, image.grid))
    throw new ToolError(`${name}: is not on the grid of ${dataName}. Resample it first.`);
  return perVoxel(deviations, voxels).map((x) => (Number.isFinite(x) ? x : 0));
}
