/** fslroi: cuts a box, a range of volumes, or both out of an image. */
import { multiply, translation } from '../../../imaging/affine.ts';
import { type Image, volumeOf } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage } from '../files.ts';
import { imageOutput, type Tool, ToolError } from '../tool.ts';

/** First index and number of voxels along one axis. */
type Range = readonly [first: number, size: number];

/** Cuts out a region; the origin moves along, so that what remains keeps its place in the world. */
export function region(image: Image, [x, y, z, t]: readonly [Range, Range, Range, Range]): Image {
  const { dims, affine, voxelSizes } = image.grid;
  const data = new Float32Array(x[1] * y[1] * z[1] * t[1]);
  let o = 0;
  for (let v = t[0]; v < t[0] + t[1]; v++) {
    const volume = volumeOf(image, v);
    for (let k = z[0]; k < z[0] + z[1]; k++)
      for (let j = y[0]; j < y[0] + y[1]; j++, o += x[1]) {
        const row = x[0] + dims[0] * (j + dims[1] * k);
        data.set(volume.subarray(row, row + x[1]), o);
      }
  }
  const grid = {
    dims: [x[1], y[1], z[1]] as const,
    voxelSizes,
    affine: multiply(affine, translation(x[0], y[0], z[0])),
  };
  return { grid, volumes: t[1], data };
}

export const fslroi: Tool = {
  name: 'fslroi',
  summary: 'cuts a region out of an image. Indices start at 0; a size of -1 goes to the end.',
  usage: `fslroi <input> <output> <xmin> <xsize> <ymin> <ysize> <zmin> <zsize>
fslroi <input> <output> <tmin> <tsize>
fslroi <input> <output> <xmin> <xsize> <ymin> <ysize> <zmin> <zsize> <tmin> <tsize>`,
  flags: {},
  raw: true,

  async run({ positional: [input, output, ...words] }) {
    if (![2, 6, 8].includes(words.length))
      throw new ToolError(`fslroi: ${words.length} numbers given; 2, 6 or 8 are due. See fslroi --help.`);
    const image = await loadImage(input);
    const sizes = [...image.grid.dims, image.volumes];
    const given = words.length === 2 ? [0, -1, 0, -1, 0, -1, ...words] : [...words, ...[0, -1]];
    const range = (axis: number): Range => {
      const [first, size] = [Number(given[2 * axis]), Number(given[2 * axis + 1])];
      const count = size === -1 ? sizes[axis] - first : size;
      if (![first, count].every(Number.isInteger) || first < 0 || count < 1 || first + count > sizes[axis])
        throw new ToolError(
          `fslroi: ${given[2 * axis]} ${given[2 * axis + 1]} along ${'xyzt'[axis]} lies outside ${input}, which has ${sizes[axis]} there.`,
        );
      return [first, count];
    };
    await writeImage(imageOutput(output), region(image, [range(0), range(1), range(2), range(3)]));
  },
};
