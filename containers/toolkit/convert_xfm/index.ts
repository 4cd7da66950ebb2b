/** convert_xfm's command line: arithmetic of FLIRT matrices. */
import { invert, type Matrix4, multiply } from '../../../imaging/affine.ts';
import { writeMatrix } from '../files.ts';
import { readTransform } from '../flirt/index.ts';
import { type Options, type Tool, ToolError } from '../tool.ts';
import { withShapeOf } from './shape.ts';

const flags = {
  omat: { names: ['-omat'], value: 'file', required: true, help: 'matrix to write' },
  concat: { names: ['-concat'], value: 'BtoC', help: 'append: with the input AtoB it gives AtoC' },
  inverse: { names: ['-inverse'], help: 'invert the input' },
  fixscaleskew: {
    names: ['-fixscaleskew'],
    value: 'file',
    help: 'keep the rotation and translation of the input, take scales and skews from this matrix',
  },
} as const;
type Key = keyof typeof flags;

async function run(options: Options<Key>): Promise<void> {
  const [input, ...rest] = options.positional;
  const actions = (['concat', 'inverse', 'fixscaleskew'] as const).filter((key) => options.has(key));
  if (input === undefined || rest.length > 0)
    throw new ToolError(`one input matrix is due as the last word, not ${options.positional.length}.`);
  if (actions.length !== 1) throw new ToolError('exactly one of -concat, -inverse and -fixscaleskew is due.');
  const m = await readTransform(input);
  const other = options.get(actions[0]);
  let out: Matrix4;
  if (actions[0] === 'inverse') out = invert(m);
  else {
    const second = await readTransform(other as string);
    out = actions[0] === 'concat' ? multiply(second, m) : withShapeOf(m, second);
  }
  await writeMatrix(options.get('omat') as string, out);
}

export const convertXfm: Tool<Key> = {
  name: 'convert_xfm',
  summary: 'Concatenates and inverts matrices of flirt.',
  usage: [
    '\tconvert_xfm -omat <AtoC> -concat <BtoC> <AtoB>',
    '\tconvert_xfm -omat <BtoA> -inverse <AtoB>',
    '\tconvert_xfm -omat <out> -fixscaleskew <matrix with scale and skew> <input>',
  ].join('\n'),
  flags,
  run,
};
