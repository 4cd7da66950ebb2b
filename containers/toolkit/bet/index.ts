/** bet: brain extraction. */
import { type Dims, type Image, volumeOf } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage } from '../files.ts';
import { type Flag, imageOutput, stem, type Tool, ToolError } from '../tool.ts';
import { fillMesh } from './fill.ts';
import { icosphere, type Mesh } from './icosphere.ts';
import { type Head, measureHead, type Point } from './intensity.ts';
import { growSurface, type Pull } from './surface.ts';

export interface BetOptions extends Pull {
  /** Centre in voxels. */
  readonly centre?: Point;
  /** Head radius in mm. */
  readonly radius?: number;
  /** Start again from the centre of the brain found, until it stays where it is. */
  readonly robust?: boolean;
}

/** `robust` ends when the centre moves by less than this many mm, or after so many rounds. */
const SETTLED_MM = 2;
const MAX_ROUNDS = 10;

/**
 * Finds the brain in one volume.
 * @param data voxels of one volume, finite
 * @returns mask of 0 and 1, one component without holes; undefined where the volume has no contrast
 */
export function brainMask(
  { grid, data }: Pick<Image, 'grid' | 'data'>,
  { centre, radius, robust, ...pull }: BetOptions,
  onProgress?: (fraction: number) => void,
): Float32Array | undefined {
  const size = grid.voxelSizes;
  const sphere = icosphere(4);
  // Voxels that the surface passes through are brain, as in FSL's masks; but not where the image is empty.
  const grow = (head: Head) =>
    fillMesh(
      inVoxels(growSurface(sphere, data, grid, head, pull, onProgress), size),
      grid.dims,
      (voxel) => data[voxel] > head.t2,
    );
  let start = centre && toMm(centre, size);
  let head = measureHead({ grid, data }, { centre: start, radius });
  if (!head) return undefined;
  let mask = grow(head);
  for (let round = 1; robust && round < MAX_ROUNDS; round++) {
    start = toMm(middleOf(mask, grid.dims), size);
    if (Math.hypot(...start.map((x, i) => x - (head as Head).centre[i])) < SETTLED_MM) break;
    head = measureHead({ grid, data }, { centre: start, radius });
    if (!head) return undefined;
    mask = grow(head);
  }
  return mask;
}

function toMm(voxel: Point, size: Point): Point {
  return [voxel[0] * size[0], voxel[1] * size[1], voxel[2] * size[2]];
}

/** Centre of gravity of a mask in voxels. */
function middleOf(mask: Float32Array, [nx, ny]: Dims): Point {
  let [x, y, z, count] = [0, 0, 0, 0];
  for (let o = 0; o < mask.length; o++) {
    if (mask[o] === 0) continue;
    x += o % nx;
    y += Math.floor(o / nx) % ny;
    z += Math.floor(o / (nx * ny));
    count++;
  }
  return count === 0 ? [0, 0, 0] : [x / count, y / count, z / count];
}

function inVoxels(surface: Mesh, size: Point): Mesh {
  return { ...surface, points: surface.points.map((p, i) => p / size[i % 3]) };
}

/** FSL's options that this tool does not have, with what to do instead. */
const REFUSED = {
  outline: { names: ['-o'], remedy: 'lay the mask of -m over the image in a viewer' },
  skull: { names: ['-s'], remedy: 'a skull image takes a T1-weighted image and FSL itself' },
  thresholded: { names: ['-t'], remedy: 'threshold the brain with fslmaths -thr' },
  mesh: { names: ['-e'], remedy: 'the surface is not written, only the mask of -m' },
  eyes: { names: ['-S'], remedy: 'try a larger -f or give the centre with -c' },
  bias: { names: ['-B'], remedy: 'correct the bias field first, or try -R' },
  fewSlices: { names: ['-Z'], remedy: 'give the centre and the radius with -c and -r' },
  series: { names: ['-F'], remedy: 'average the volumes with fslmaths -Tmean, then bet with -f 0.3' },
  surfaces: { names: ['-A'], remedy: 'skull and scalp surfaces take FSL itself' },
  surfacesT2: { names: ['-A2'], value: 'file', remedy: 'skull and scalp surfaces take FSL itself' },
  debug: { names: ['-d'], remedy: 'nothing but the results is written' },
} as const;
type Refused = keyof typeof REFUSED;
const refused = Object.keys(REFUSED) as Refused[];

export const bet: Tool<
  'fraction' | 'gradient' | 'mask' | 'noBrain' | 'centre' | 'radius' | 'robust' | 'verbose' | Refused
> = {
  name: 'bet',
  summary: 'brain extraction: writes the brain, and with -m its mask.',
  usage: 'bet <input> <output> [options]',
  flags: {
    fraction: {
      names: ['-f'],
      value: '0..1',
      help: 'fractional intensity threshold, default 0.5; smaller: larger brain',
    },
    gradient: {
      names: ['-g'],
      value: '-1..1',
      help: 'vertical gradient of the threshold, default 0; positive: larger below, smaller above',
    },
    mask: { names: ['-m'], help: 'write <output>_mask' },
    noBrain: { names: ['-n'], help: 'do not write the brain itself' },
    centre: { names: ['-c'], value: 'x y z', words: 3, help: 'centre of gravity in voxels' },
    radius: { names: ['-r'], value: 'mm', help: 'head radius; the surface starts from half of it' },
    robust: { names: ['-R'], help: 'find the centre robustly: repeat from the centre of the brain found' },
    verbose: { names: ['-v'], help: 'say what was measured of the head' },
    ...(Object.fromEntries(
      refused.map((key) => [key, { ...REFUSED[key], help: `refused: ${REFUSED[key].remedy}` }]),
    ) as unknown as Record<Refused, Flag>),
  },

  async run(options, progress) {
    for (const key of refused)
      if (options.has(key))
        throw new ToolError(`bet: ${REFUSED[key].names[0]} is not supported: ${REFUSED[key].remedy}.`);
    const [input, output, ...rest] = options.positional;
    if (output === undefined || rest.length > 0)
      throw new ToolError('bet: one input and one output are due. See bet --help.');
    if (options.has('noBrain') && !options.has('mask'))
      throw new ToolError('bet: -n without -m leaves nothing to write.');
    const within = (key: 'fraction' | 'gradient', fallback: number, low: number) => {
      const value = options.number(key, fallback);
      if (value < low || value > 1)
        throw new ToolError(`bet: ${bet.flags[key].names[0]} ${value}: must lie in ${low} to 1.`);
      return value;
    };
    const pull = { fraction: within('fraction', 0.5, 0), gradient: within('gradient', 0, -1) };
    const centre = options.get('centre')?.split(' ').map(Number) as Point | undefined;
    if (centre && !centre.every(Number.isFinite))
      throw new ToolError(`bet: -c ${options.get('centre')}: three numbers are due.`);
    const radius = options.has('radius') ? options.number('radius', 0) : undefined;
    if (radius !== undefined && !(radius > 0)) throw new ToolError('bet: -r must be above 0 mm.');

    progress(0, 'reading');
    const image = await loadImage(input);
    if (image.volumes > 1)
      throw new ToolError(
        `${input}: has ${image.volumes} volumes where one is due. Average them with fslmaths ${input} -Tmean <output>, or take one with fslroi.`,
      );
    const data = volumeOf(image, 0).map((x) => (Number.isFinite(x) ? x : 0));
    const head = { ...pull, centre, radius, robust: options.has('robust') };
    const mask = brainMask({ grid: image.grid, data }, head, (f) =>
      progress(0.05 + 0.85 * f, 'growing the surface'),
    );
    const voxels = mask?.reduce((sum, x) => sum + x, 0) ?? 0;
    if (!mask || voxels === 0)
      throw new ToolError(
        `${input}: no brain found. Check that it is a head, or give its centre with -c x y z.`,
      );
    if (options.has('verbose')) {
      const found = measureHead(
        { grid: image.grid, data },
        { centre: centre && toMm(centre, image.grid.voxelSizes), radius },
      );
      if (found)
        process.stdout.write(
          `intensities ${found.t2} to ${found.tm} (brain), head above ${found.t}; centre ${found.centre.map((x) => x.toFixed(1)).join(' ')} mm, radius ${found.radius.toFixed(1)} mm\n`,
        );
    }
    if (options.has('mask'))
      await writeImage(
        `${stem(output)}_mask.nii.gz`,
        { grid: image.grid, volumes: 1, data: mask },
        { type: 'uint8' },
      );
    if (!options.has('noBrain')) {
      const brain = data.map((x, i) => (mask[i] > 0 ? x : 0));
      await writeImage(imageOutput(output), { grid: image.grid, volumes: 1, data: brain });
    }
    progress(1, `${voxels} voxels`);
  },
};
