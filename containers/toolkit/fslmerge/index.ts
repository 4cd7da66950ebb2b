/** fslmerge: joins images in time or along an axis. */
import { type Image, sameGrid } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage } from '../files.ts';
import { imageOutput, type Tool, ToolError } from '../tool.ts';

/**
 * Joins images, in order.
 * @param axis 0 x, 1 y, 2 z, 3 time  @param names to name an image that does not fit
 */
export function merge(images: readonly Image[], axis: number, names: readonly string[]): Image {
  const [first] = images;
  const shape = (image: Image) => [...image.grid.dims, image.volumes];
  for (const [i, image] of images.entries()) {
    if (shape(image).some((n, a) => a !== axis && n !== shape(first)[a]))
      throw new ToolError(
        `${names[i]}: ${shape(image).join(' x ')} voxels do not join ${names[0]}, ${shape(first).join(' x ')}, along ${'xyzt'[axis]}. Resample it first.`,
      );
    if (axis === 3 && !sameGrid(image.grid, first.grid))
      throw new ToolError(
        `${names[i]}: lies elsewhere in space than ${names[0]} (their affines differ). Resample it onto that grid first.`,
      );
  }
  const sizes = shape(first);
  sizes[axis] = images.reduce((sum, image) => sum + shape(image)[axis], 0);
  const [nx, ny, nz, volumes] = sizes;
  const data = new Float32Array(nx * ny * nz * volumes);
  // Along the axis, a block of each image in turn: all that lies below the axis in memory.
  const below = shape(first)
    .slice(0, axis)
    .reduce((a, b) => a * b, 1);
  const blocks = shape(first)
    .slice(axis + 1)
    .reduce((a, b) => a * b, 1);
  for (let b = 0, o = 0; b < blocks; b++)
    for (const image of images) {
      const size = below * shape(image)[axis];
      data.set(image.data.subarray(b * size, (b + 1) * size), o);
      o += size;
    }
  return { grid: { ...first.grid, dims: [nx, ny, nz] }, volumes, data };
}

const AXES: Readonly<Record<string, number>> = { '-x': 0, '-y': 1, '-z': 2, '-t': 3, '-tr': 3 };

export const fslmerge: Tool = {
  name: 'fslmerge',
  summary: 'joins images in time (-t) or along an axis.',
  usage: `fslmerge <-x|-y|-z|-t|-a> <output> <input> <input> ...
fslmerge -tr <output> <input> <input> ... <seconds between volumes>

-a: single slices are joined along z, all else in time`,
  flags: {},
  raw: true,

  async run({ positional: [how, output, ...names] }) {
    if (how !== '-a' && !Object.hasOwn(AXES, how))
      throw new ToolError(`fslmerge: ${how} is none of -x -y -z -t -a -tr.`);
    const seconds = how === '-tr' ? Number(names.pop()) : undefined;
    if (seconds !== undefined && !(seconds > 0 && Number.isFinite(seconds)))
      throw new ToolError('fslmerge: -tr needs the seconds between volumes as its last word.');
    if (output === undefined || names.length === 0)
      throw new ToolError('fslmerge: an output and at least one input are due. See fslmerge --help.');
    const images: Image[] = [];
    for (const name of names) images.push(await loadImage(name));
    const axis = how === '-a' ? (images[0].grid.dims[2] === 1 ? 2 : 3) : AXES[how];
    await writeImage(imageOutput(output), merge(images, axis, names), { volumeSeconds: seconds });
  },
};
