/** fslmaths: voxel arithmetic, one operation after the other from left to right. */
import { type Image, sameGrid } from '../../../imaging/image.ts';
import { type StoredType, writeImage } from '../../../imaging/nifti.ts';
import { loadImage } from '../files.ts';
import { imageOutput, type Tool, ToolError } from '../tool.ts';
import {
  BINARY,
  combine,
  mapVoxels,
  OVER_TIME,
  overTime,
  perVolume,
  SPATIAL,
  smoothMm,
  THRESHOLD,
  UNARY,
} from './operations.ts';

const OUTPUT_TYPES: Readonly<Record<string, StoredType>> = {
  float: 'float32',
  short: 'int16',
  char: 'uint8',
};

/** A whole word that is a number, else undefined. */
function asNumber(word: string): number | undefined {
  const value = Number(word);
  return word.trim() !== '' && Number.isFinite(value) ? value : undefined;
}

/** Reads an image; voxels that hold no number are 0, so that nothing but numbers is ever written. */
async function load(name: string): Promise<Image> {
  const image = await loadImage(name);
  return image.data.every(Number.isFinite) ? image : mapVoxels(image, (x) => x);
}

async function withOperand(
  current: Image,
  op: string,
  word: string,
  f: (x: number, y: number) => number,
): Promise<Image> {
  const number = asNumber(word);
  if (number !== undefined) return mapVoxels(current, (x) => f(x, number));
  const other = await load(word);
  if (!sameGrid(current.grid, other.grid))
    throw new ToolError(`${word}: is not on the grid of the image it meets in ${op}. Resample it first.`);
  if (current.volumes !== other.volumes && current.volumes !== 1 && other.volumes !== 1)
    throw new ToolError(`${word}: has ${other.volumes} volumes where ${op} meets ${current.volumes}.`);
  return combine(current, other, f);
}

export const fslmaths: Tool = {
  name: 'fslmaths',
  summary: 'voxel arithmetic, one operation after the other.',
  usage: `fslmaths [-dt float] <input> [operations and operands] <output> [-odt float|short|char]

Operand, an image or a number:  ${Object.keys(BINARY).join(' ')}
Operand, an image:              -mas
Operand, a number:              ${Object.keys(THRESHOLD).join(' ')}; -s <sigma mm>
None:                           ${Object.keys(UNARY).join(' ')}
Over volumes:                   ${Object.keys(OVER_TIME).join(' ')}
Over neighbours (3 x 3 x 3):    ${Object.keys(SPATIAL).join(' ')}
What is undefined (x / 0, the logarithm of 0) is 0.`,
  flags: {},
  raw: true,

  async run({ positional }, progress) {
    const words = [...positional];
    const type = takeTypes(words);
    if (words.length < 2)
      throw new ToolError('fslmaths: an input and an output are due. See fslmaths --help.');
    const output = words.pop() ?? '';
    let image = await load(words.shift() ?? '');
    const total = words.length + 1;
    while (words.length > 0) {
      const op = words.shift() ?? '';
      progress(1 - (words.length + 1) / total, op);
      const operand = () => {
        const word = words.shift();
        if (word === undefined)
          throw new ToolError(`fslmaths: ${op} needs an operand, and an output is due after it.`);
        return word;
      };
      const number = () => {
        const word = operand();
        const value = asNumber(word);
        if (value === undefined) throw new ToolError(`fslmaths: ${op} needs a number, not ${word}.`);
        return value;
      };
      if (Object.hasOwn(BINARY, op)) image = await withOperand(image, op, operand(), BINARY[op]);
      else if (op === '-mas') image = await withOperand(image, op, operand(), (x, y) => (y > 0 ? x : 0));
      else if (Object.hasOwn(UNARY, op)) image = mapVoxels(image, UNARY[op]);
      else if (Object.hasOwn(THRESHOLD, op)) image = mapVoxels(image, THRESHOLD[op](image, number()));
      else if (Object.hasOwn(OVER_TIME, op)) image = overTime(image, OVER_TIME[op]);
      else if (op === '-s') image = smoothMm(image, positive(op, number()));
      else if (Object.hasOwn(SPATIAL, op)) {
        const { dims } = image.grid;
        image = perVolume(image, (volume) => SPATIAL[op](volume, dims));
      } else throw new ToolError(`fslmaths: no operation ${op} here. See fslmaths --help.`);
    }
    await writeImage(imageOutput(output), image, { type });
    progress(1, 'done');
  },
};

function positive(op: string, value: number): number {
  if (!(value > 0)) throw new ToolError(`fslmaths: ${op} ${value} must be above 0.`);
  return value;
}

/** Takes `-dt` from the front and `-odt` from the end of the words. @returns how to store the output */
function takeTypes(words: string[]): StoredType {
  if (words[0] === '-dt') {
    const [, type] = words.splice(0, 2);
    if (type !== 'float' && type !== 'double')
      throw new ToolError(
        `fslmaths: -dt ${type}: arithmetic here is in floats; -odt ${type} sets the output.`,
      );
  }
  if (words.at(-2) !== '-odt') return 'float32';
  const [, type] = words.splice(-2);
  const stored = OUTPUT_TYPES[type];
  if (!stored) throw new ToolError(`fslmaths: -odt ${type}: choose ${Object.keys(OUTPUT_TYPES).join(', ')}.`);
  return stored;
}
