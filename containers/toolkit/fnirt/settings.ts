/** FNIRT's settings: its configuration files and flags into a {@link Schedule}. */
import { access, readFile } from 'node:fs/promises';
import { ToolError } from '../tool.ts';
import type { Schedule, Stage } from './register.ts';

export interface Settings {
  readonly schedule: Schedule;
  /** Values of the implicit masks; absent: there is none. */
  readonly inputNothing?: number;
  readonly referenceNothing?: number;
}

/** Settings by name, without dashes, as written. */
type Values = ReadonlyMap<string, string>;

/** Names that a configuration file and the command line share. */
export const SETTINGS = [
  'subsamp',
  'miter',
  'infwhm',
  'reffwhm',
  'lambda',
  'estint',
  'applyinmask',
  'applyrefmask',
  'warpres',
  'jacrange',
  'imprefm',
  'impinm',
  'imprefval',
  'impinval',
  'intmod',
  'regmod',
  'ssqlambda',
  'refderiv',
  'splineorder',
  'interp',
] as const;
export type SettingName = (typeof SETTINGS)[number];

/** What FNIRT does where nothing else is said. */
const DEFAULTS = `
--subsamp=4,2,1,1
--miter=5,5,5,5
--infwhm=6,4,2,2
--reffwhm=4,2,0,0
--lambda=300,75,30,30
--estint=1,1,1,1
--applyinmask=1
--applyrefmask=1
--warpres=10,10,10
--jacrange=0.01,100
--imprefm=1
--impinm=1
--imprefval=0
--impinval=0
--intmod=global_linear
--regmod=bending_energy
--ssqlambda=1
--refderiv=0
--splineorder=3
--interp=linear
`;

/** Configurations known by name, as FSL documents them. */
const CONFIGURATIONS: Readonly<Record<string, string>> = {
  FA_2_FMRIB58_1mm: `
--subsamp=8,4,2,2
--miter=5,5,5,5
--infwhm=12,6,2,2
--reffwhm=12,6,2,2
--lambda=300,75,30,30
--estint=1,1,1,0
--warpres=10,10,10
--intmod=global_linear
`,
};

/** Settings that have one value here. */
const FIXED: Partial<Record<SettingName, string>> = {
  intmod: 'global_linear',
  regmod: 'bending_energy',
  ssqlambda: '1',
  refderiv: '0',
  splineorder: '3',
  interp: 'linear',
};

/** Settings of a file that nothing here depends on. */
const WITHOUT_EFFECT = ['numprec', 'minmet', 'intorder', 'biasres', 'biaslambda', 'verbose'];

/** Lines of `--name=value`; what follows a # is a comment. @param source for messages */
export function parseConfiguration(text: string, source: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const match = /^--([a-z]+)\s*=\s*(\S+)$/.exec(line);
    if (!match) throw new ToolError(`${source}: "${line}" is not of the form --name=value.`);
    const [, name, value] = match;
    if (WITHOUT_EFFECT.includes(name)) continue;
    if (!SETTINGS.includes(name as SettingName))
      throw new ToolError(`${source}: --${name} is not supported. Supported: ${SETTINGS.join(', ')}.`);
    out.set(name, value);
  }
  return out;
}

/** A configuration by its name, or from a file. */
async function loadConfiguration(name: string): Promise<Map<string, string>> {
  const known = CONFIGURATIONS[name.replace(/\.cnf$/, '')];
  for (const path of [name, `${name}.cnf`])
    if (await exists(path)) return parseConfiguration(await readFile(path, 'utf8'), path);
  if (known !== undefined) return parseConfiguration(known, name);
  throw new ToolError(
    `${name}: no such configuration file. Give a file, or one of: ${Object.keys(CONFIGURATIONS).join(', ')}.`,
  );
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * @param given what the command line says of each setting; goes before the configuration, which goes before the defaults
 */
export async function loadSettings(
  configuration: string | undefined,
  given: (name: SettingName) => string | undefined,
): Promise<Settings> {
  const values = parseConfiguration(DEFAULTS, 'defaults');
  if (configuration !== undefined)
    for (const [name, value] of await loadConfiguration(configuration)) values.set(name, value);
  for (const name of SETTINGS) {
    const value = given(name);
    if (value !== undefined) values.set(name, value);
  }
  return settingsOf(values);
}

function numbers(values: Values, name: SettingName, low: number, high: number): number[] {
  const text = values.get(name)!;
  const out = text.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word)));
  if (!out.every((n) => n >= low && n <= high))
    throw new ToolError(
      `fnirt: --${name}=${text} must be numbers from ${low} to ${high}, with commas between.`,
    );
  return out;
}

function settingsOf(values: Values): Settings {
  for (const [name, only] of Object.entries(FIXED))
    if (values.get(name) !== only)
      throw new ToolError(`fnirt: --${name}=${values.get(name)} is not supported. Use --${name}=${only}.`);
  const subsample = numbers(values, 'subsamp', 1, 64);
  const perStage = (name: SettingName, low: number, high: number) => {
    const list = numbers(values, name, low, high);
    if (list.length !== 1 && list.length !== subsample.length)
      throw new ToolError(
        `fnirt: --${name} has ${list.length} numbers where --subsamp has ${subsample.length}. Give as many, or one.`,
      );
    return (stage: number) => list[list.length === 1 ? 0 : stage];
  };
  subsample.forEach((n, s) => {
    const ratio = s === 0 ? 1 : subsample[s - 1] / n;
    if (!Number.isInteger(n) || !Number.isInteger(Math.log2(ratio)) || ratio < 1)
      throw new ToolError(
        `fnirt: --subsamp=${values.get('subsamp')}: each must be a whole number and equal, or half or a quarter of, the one before.`,
      );
  });
  const iterations = perStage('miter', 1, 100);
  const inputFwhm = perStage('infwhm', 0, 100);
  const referenceFwhm = perStage('reffwhm', 0, 100);
  const lambda = perStage('lambda', 1e-6, 1e9);
  const fitScale = perStage('estint', 0, 1);
  const useInputMask = perStage('applyinmask', 0, 1);
  const useReferenceMask = perStage('applyrefmask', 0, 1);
  const stages = subsample.map(
    (n, s): Stage => ({
      subsample: n,
      iterations: Math.round(iterations(s)),
      inputFwhm: inputFwhm(s),
      referenceFwhm: referenceFwhm(s),
      lambda: lambda(s),
      fitScale: fitScale(s) > 0,
      useInputMask: useInputMask(s) > 0,
      useReferenceMask: useReferenceMask(s) > 0,
    }),
  );
  const warp = numbers(values, 'warpres', 1, 200);
  if (warp.length !== 1 && warp.length !== 3)
    throw new ToolError(`fnirt: --warpres=${values.get('warpres')} must be one number or three.`);
  const range = numbers(values, 'jacrange', -1e9, 1e9);
  if (range.length !== 2 || !(range[0] < 1 && range[1] > 1))
    throw new ToolError(
      `fnirt: --jacrange=${values.get('jacrange')} must be two numbers, one below and one above 1.`,
    );
  const nothing = (use: SettingName, value: SettingName) =>
    numbers(values, use, 0, 1)[0] > 0 ? numbers(values, value, -1e30, 1e30)[0] : undefined;
  return {
    schedule: {
      stages,
      warpMm: [warp[0], warp[1] ?? warp[0], warp[2] ?? warp[0]],
      jacobian: [range[0], range[1]],
    },
    inputNothing: nothing('impinm', 'impinval'),
    referenceNothing: nothing('imprefm', 'imprefval'),
  };
}

/** Voxel size in mm that FA_2_FMRIB58_1mm is made for. */
const MADE_FOR_MM = 1;

/** A schedule made for voxels of 1 mm for a reference of other voxels: its levels keep their mm as well as they can. */
export function adaptTo(schedule: Schedule, voxelMm: number): Schedule {
  const last = schedule.stages[schedule.stages.length - 1].subsample;
  const finest = Math.max(1, Math.round((last * MADE_FOR_MM) / voxelMm));
  return {
    ...schedule,
    stages: schedule.stages.map((stage) => ({ ...stage, subsample: (stage.subsample / last) * finest })),
  };
}
