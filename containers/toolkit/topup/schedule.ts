/** topup's schedules: FSL's configuration file `b02b0.cnf` by name, or a file of the same form. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ToolError } from '../tool.ts';

/** One level of the coarse-to-fine schedule. */
export interface Level {
  /** Knot spacing in mm. */
  readonly warpres: number;
  /** Every how many voxels the images are compared. */
  readonly subsamp: number;
  /** Smoothing in mm. */
  readonly fwhm: number;
  /** Most Gauss-Newton iterations. */
  readonly miter: number;
  /** Weight of the bending energy. */
  readonly lambda: number;
  /** Whether movement is estimated along with the field. */
  readonly estmov: boolean;
}

export interface Schedule {
  readonly levels: readonly Level[];
  /** Weight bending energy by the current sum of squares. */
  readonly ssqlambda: boolean;
  /** Scale every volume to a common mean first. */
  readonly scale: boolean;
}

const B02B0 = `
warpres=20,16,14,12,10,6,4,4,4
subsamp=2,2,2,2,2,1,1,1,1
fwhm=8,6,4,3,3,2,1,0,0
miter=5,5,5,5,5,10,10,20,20
lambda=0.005,0.001,0.0001,0.000015,0.000005,0.0000005,0.00000005,0.0000000005,0.00000000001
ssqlambda=1
estmov=1,1,1,1,1,0,0,0,0
scale=1
`;

/** Keys that choose among FSL's alternatives, and the one that this tool has. */
const FIXED: Record<string, string> = { regmod: 'bending_energy', splineorder: '3' };
/** Keys of FSL's files that say how, not what, is computed. */
const IGNORED = new Set(['minmet', 'numprec', 'interp', 'regrid', 'verbose']);

/**
 * Parses a configuration: lines `key=value,value...` (or `--key=...`), comments after #. One value counts for all levels.
 * @throws ToolError that names `path` and the line
 */
export function parseSchedule(text: string, path: string): Schedule {
  const lists = new Map<string, number[]>();
  for (const line of text.split(/\r?\n/)) {
    const words = line.replace(/#.*/, '').trim();
    if (words === '') continue;
    const match = /^(?:--)?(\w+)\s*=\s*(.+)$/.exec(words);
    if (!match) throw new ToolError(`${path}: "${words}" is not of the form key=value.`);
    const [, key, value] = match;
    if (IGNORED.has(key)) continue;
    if (key in FIXED) {
      if (value.trim() !== FIXED[key])
        throw new ToolError(`${path}: ${key}=${value} is not available here; only ${key}=${FIXED[key]} is.`);
      continue;
    }
    const numbers = value.split(',').map((v) => (v.trim() === '' ? Number.NaN : Number(v)));
    if (!['warpres', 'subsamp', 'fwhm', 'miter', 'lambda', 'estmov', 'ssqlambda', 'scale'].includes(key))
      throw new ToolError(`${path}: unknown key ${key}.`);
    if (!numbers.every((v) => Number.isFinite(v) && v >= 0))
      throw new ToolError(`${path}: ${key}=${value} is not a list of numbers.`);
    lists.set(key, numbers);
  }
  const count = Math.max(...[...lists.values()].map((l) => l.length));
  const at = (key: string, level: number, fallback?: number): number => {
    const list = lists.get(key) ?? (fallback === undefined ? undefined : [fallback]);
    if (!list) throw new ToolError(`${path}: lacks ${key}.`);
    if (list.length !== 1 && list.length !== count)
      throw new ToolError(`${path}: ${key} has ${list.length} values where other keys have ${count}.`);
    return list[list.length === 1 ? 0 : level];
  };
  const levels = Array.from({ length: count }, (_, l): Level => {
    const level = {
      warpres: at('warpres', l),
      subsamp: at('subsamp', l),
      fwhm: at('fwhm', l),
      miter: at('miter', l),
      lambda: at('lambda', l),
      estmov: at('estmov', l, 1) !== 0,
    };
    if (!(level.warpres > 0 && level.subsamp >= 1 && Number.isInteger(level.subsamp)))
      throw new ToolError(`${path}: level ${l + 1} needs warpres > 0 and a whole subsamp >= 1.`);
    return level;
  });
  return { levels, ssqlambda: at('ssqlambda', 0, 1) !== 0, scale: at('scale', 0, 1) !== 0 };
}

/** Reads `--config`: a file, or `b02b0.cnf` (also without `.cnf`) by name. */
export async function readSchedule(config: string): Promise<Schedule> {
  try {
    return parseSchedule(await readFile(config, 'utf8'), config);
  } catch (error) {
    if (error instanceof ToolError) throw error;
    if (/^b02b0(\.cnf)?$/.test(basename(config))) return parseSchedule(B02B0, 'b02b0.cnf');
    throw new ToolError(`${config}: no such configuration. Give a file, or b02b0.cnf by name.`);
  }
}
