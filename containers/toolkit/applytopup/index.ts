/** The command `applytopup`: undistorts images with a field that topup estimated. */
import { type Image, sameGrid, volumeOf, voxelCount } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { type Acquisition, findImage, loadImage, readAcquisitions } from '../files.ts';
import { imageOutput, type Options, type Tool, ToolError } from '../tool.ts';
import { phaseAxis, shiftDensity, shiftOf, unwarp } from '../topup/distortion.ts';
import { evaluateField, movementMatrix, readTopup } from '../topup/field.ts';
import { restore } from './restore.ts';

type Key = 'imain' | 'datain' | 'inindex' | 'topup' | 'out' | 'method' | 'interp' | 'verbose';

/** An input image with the row of datain (and of topup's movement) that describes it. */
interface Input {
  readonly path: string;
  readonly image: Image;
  readonly acquisition: Acquisition;
  readonly row: number;
}

export const applytopup: Tool<Key> = {
  name: 'applytopup',
  summary: 'undistorts images by a field from topup.',
  usage:
    'applytopup --imain=<a>[,<b>...] --datain=<text file> --inindex=1[,2...] --topup=<prefix> --out=<image> --method=jac|lsr',
  flags: {
    imain: {
      names: ['--imain', '-i'],
      value: 'files',
      required: true,
      help: 'images, separated by commas; all with equally many volumes',
    },
    datain: { names: ['--datain', '-a'], value: 'file', required: true, help: "topup's --datain" },
    inindex: { names: ['--inindex', '-x'], value: 'rows', required: true, help: 'row of datain per image' },
    topup: { names: ['--topup', '-t'], value: 'prefix', required: true, help: "topup's --out" },
    out: { names: ['--out', '-o'], value: 'file', required: true, help: 'undistorted image' },
    method: {
      names: ['--method', '-m'],
      value: 'way',
      help: 'lsr (default): least-squares restoration from opposed images; jac: each by itself, then their mean',
    },
    interp: { names: ['--interp', '-n'], value: 'way', help: 'spline (default) or trilinear' },
    verbose: { names: ['-v', '--verbose'], help: 'accepted; progress is always printed' },
  },
  async run(options, progress) {
    const method = choice(options, 'method', ['lsr', 'jac']);
    const interpolation =
      choice(options, 'interp', ['spline', 'trilinear']) === 'spline' ? 'spline' : 'linear';
    const inputs = await readInputs(options);
    const { grid, volumes } = inputs[0].image;
    const axis = phaseAxis(inputs[0].acquisition);
    if (method === 'lsr') checkOpposed(inputs);

    const result = await readTopup(options.get('topup')!);
    for (const { path, row } of inputs)
      if (row >= result.movement.length)
        throw new ToolError(
          `--inindex: ${path} is row ${row + 1}, but ${options.get('topup')}_movpar.txt has ${result.movement.length} rows. Use the --datain that topup was run with.`,
        );
    const field = evaluateField(result, grid);
    const geometry = inputs.map(({ acquisition, row }) => {
      const shift = shiftOf(field, acquisition);
      const own = phaseAxis(acquisition);
      return {
        shift,
        axis: own,
        movement: movementMatrix(result.movement[row], grid),
        density: shiftDensity(shift, grid.dims, own),
        interpolation,
      } as const;
    });
    const still = new Float32Array(voxelCount(grid));
    const data = new Float32Array(still.length * volumes);
    for (let t = 0; t < volumes; t++) {
      progress(t / volumes, `volume ${t + 1} of ${volumes}`);
      const out = volumeOf({ grid, volumes, data }, t);
      if (method === 'jac') {
        for (const [i, { image }] of inputs.entries()) {
          const one = unwarp(volumeOf(image, t), grid.dims, geometry[i]);
          for (let o = 0; o < out.length; o++) out[o] += one[o] / inputs.length;
        }
      } else {
        const acquired = inputs.map(({ image }, i) => ({
          shift: geometry[i].shift,
          volume: unwarp(volumeOf(image, t), grid.dims, { ...geometry[i], shift: still, density: undefined }),
        }));
        out.set(restore(acquired, grid.dims, axis));
      }
    }
    await writeImage(imageOutput(options.get('out')!), { grid, volumes, data });
    progress(1, 'done');
  },
};

/** Value of a flag among those allowed; the first is the default. */
function choice(options: Options<Key>, key: 'method' | 'interp', allowed: readonly string[]): string {
  const value = options.get(key) ?? allowed[0];
  if (!allowed.includes(value))
    throw new ToolError(`--${key}=${value} is not available. Use ${allowed.join(' or ')}.`);
  return value;
}

async function readInputs(options: Options<Key>): Promise<Input[]> {
  const names = options.get('imain')!.split(',');
  const datain = options.get('datain')!;
  const acquisitions = await readAcquisitions(datain);
  const rows = options.get('inindex')!.split(',').map(Number);
  if (rows.length !== names.length)
    throw new ToolError(
      `--inindex: has ${rows.length} numbers for ${names.length} images. Give one per image.`,
    );
  const inputs: Input[] = [];
  for (const [i, name] of names.entries()) {
    const path = await findImage(name);
    const row = rows[i] - 1;
    if (!(Number.isInteger(row) && row >= 0 && row < acquisitions.length))
      throw new ToolError(`--inindex: ${rows[i]} is no row of ${datain}, which has ${acquisitions.length}.`);
    const image = await loadImage(path);
    const first = inputs[0];
    if (first && (!sameGrid(first.image.grid, image.grid) || first.image.volumes !== image.volumes))
      throw new ToolError(
        `${path}: differs from ${first.path} in size, place or number of volumes. Give images of one session.`,
      );
    if (!image.data.every(Number.isFinite))
      throw new ToolError(`${path}: holds values that are not numbers. Replace them first (fslmaths -nan).`);
    inputs.push({ path, image, acquisition: acquisitions[row], row });
  }
  return inputs;
}

/** Least-squares restoration needs images that differ in distortion along one axis. */
function checkOpposed(inputs: readonly Input[]): void {
  const [first, ...others] = inputs.map((i) => i.acquisition);
  if (others.some((a) => phaseAxis(a) !== phaseAxis(first)))
    throw new ToolError('--method=lsr needs images encoded along one axis. Use --method=jac.');
  const shifts = new Set(inputs.map((i) => i.acquisition.direction.join() + i.acquisition.readoutSeconds));
  if (shifts.size < 2)
    throw new ToolError(
      '--method=lsr needs images with opposed phase encoding. Add one, or use --method=jac.',
    );
}
