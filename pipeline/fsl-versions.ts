/**
 * What differs between versions of FSL, 5.0 to 6.0: names of programs, flags and output files that came or went. Facts
 * from FSL's user guides of the versions and from the minimum versions nipype's interface documents. Steps keep FSL's
 * plain names (`eddy`); here such a name becomes the program that is there.
 */
import { FAILURES, type FailureCode } from './failures.ts';
import type { Profile } from './profile.ts';

/** `6.0.4` as numbers. */
export type FslVersion = readonly [major: number, minor: number, patch: number];

/** A program of a tool, and the versions that have it: from (inclusive) to (exclusive). */
interface Variant {
  readonly program: string;
  readonly from: string;
  readonly to?: string;
  readonly cuda?: true;
}

/**
 * eddy's programs, in the order they are preferred. From 6.0.6 on `eddy` is a script that takes a GPU where it sees one;
 * the program that computes is called instead, so that a study's results do not depend on the machine.
 */
const EDDY: readonly Variant[] = [
  { program: 'eddy_cpu', from: '6.0.6' },
  { program: 'eddy_openmp', from: '5.0.9', to: '6.0.6' },
  { program: 'eddy', from: '5.0.0' },
  { program: 'eddy_cuda11.0', from: '6.0.6', cuda: true },
  { program: 'eddy_cuda10.2', from: '6.0.5', cuda: true },
  { program: 'eddy_cuda9.1', from: '6.0.0', cuda: true },
  { program: 'eddy_cuda8.0', from: '5.0.10', cuda: true },
  { program: 'eddy_cuda7.5', from: '5.0.9', to: '6.0.0', cuda: true },
  { program: 'eddy_cuda', from: '5.0.9', cuda: true },
];

const VARIANTS: Readonly<Record<string, readonly Variant[]>> = { eddy: EDDY };

/** First version with a flag or an output; what is not here every 5.0 has. */
const SINCE: Readonly<Record<string, { flags: Record<string, string>; outputs: Record<string, string> }>> = {
  eddy: {
    flags: {
      '--repol': '5.0.9',
      '--cnr_maps': '5.0.10',
      '--residuals': '5.0.10',
      '--initrand': '5.0.10',
      '--ol_nstd': '5.0.10',
      '--ol_nvox': '5.0.10',
      '--ol_type': '5.0.10',
      '--mb': '5.0.10',
      '--mporder': '5.0.11',
      '--slspec': '5.0.11',
      '--s2v_niter': '5.0.11',
      '--s2v_lambda': '5.0.11',
      '--s2v_interp': '5.0.11',
      '--json': '6.0.1',
      '--estimate_move_by_susceptibility': '6.0.1',
      '--mbs_niter': '6.0.1',
      '--nthr': '6.0.6',
    },
    outputs: { eddy_rotated_bvecs: '5.0.9', eddy_movement_rms: '5.0.9' },
  },
};

/** Reads `6.0.7.4`, `FSL 5.0.9`, `6.0.4:ddd0a010` (etc/fslversion); undefined where there is no version in it. */
export function parseFslVersion(text: string): FslVersion | undefined {
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : undefined;
}

/** Words for an installed FSL from its `etc/fslversion`: `FSL 6.0.4`. */
export function fslVersionWords(fslversion: string): string {
  return `FSL ${fslversion.trim().split(':')[0]}`;
}

function isBefore(a: FslVersion, b: string): boolean {
  const other = parseFslVersion(b)!;
  const i = [0, 1, 2].find((place) => a[place] !== other[place]);
  return i !== undefined && a[i] < other[i];
}

/** Every program that can stand for a tool, preferred first. With `gpu` the CUDA programs, else those for processors. */
export function variantsOf(tool: string, gpu = false): string[] {
  const variants = VARIANTS[tool];
  if (variants === undefined) return [tool];
  return variants.filter(({ cuda = false }) => cuda === gpu).map(({ program }) => program);
}

/** True where a tool's program depends on the version of FSL. */
export function hasVariants(tool: string): boolean {
  return Object.hasOwn(VARIANTS, tool);
}

/** Programs for a tool that a version of FSL has. */
export function programsIn(version: FslVersion, tool: string, gpu = false): string[] {
  const variants: readonly Variant[] = VARIANTS[tool] ?? [{ program: tool, from: '5.0.0' }];
  return variants
    .filter(({ cuda = false }) => cuda === gpu)
    .filter(({ from, to }) => !isBefore(version, from) && (to === undefined || isBefore(version, to)))
    .map(({ program }) => program);
}

/**
 * The command that runs where these programs are: argv with its tool's name replaced by the first variant present.
 * Where none is, the plain name stays, and the runtime says what is missing. eddy_cpu takes its threads as a flag, the
 * other programs from OMP_NUM_THREADS.
 */
export function commandFor(
  argv: readonly string[],
  present: readonly string[],
  { gpu = false, cpus }: { readonly gpu?: boolean; readonly cpus?: number } = {},
): string[] {
  const [tool, ...rest] = argv;
  const program = variantsOf(tool, gpu).find((name) => present.includes(name)) ?? tool;
  const threads = program === 'eddy_cpu' && cpus !== undefined ? [`--nthr=${cpus}`] : [];
  return [program, ...rest, ...threads];
}

/** What an FSL cannot do that a study asks for. */
export interface Lack {
  readonly code: FailureCode;
  readonly message: string;
  readonly remedy: string;
}

/** FSL's tools that any profile runs. */
const TOOLS = 'fslroi fslmerge fslmaths topup bet eddy dtifit flirt fsl_reg applywarp'.split(' ');

/** The tools a profile runs, by FSL's names. */
export function toolsOf(profile: Profile): string[] {
  return profile.motion === 'eddy' ? TOOLS : [...TOOLS, 'mcflirt'];
}

/**
 * What a profile needs and an FSL of this version, with these programs, lacks. `programs` holds the names in FSL's
 * bin/, `help` eddy's own usage text where it is known: it decides before the table, for patched builds.
 */
export function lacking(
  profile: Profile,
  version: FslVersion | undefined,
  programs: readonly string[],
  { gpu = false, help }: { readonly gpu?: boolean; readonly help?: string } = {},
): Lack[] {
  const lacks: Lack[] = [];
  const words = version ? `FSL ${version.join('.')}` : 'this FSL';
  for (const tool of toolsOf(profile))
    if (!variantsOf(tool, gpu).some((name) => programs.includes(name)))
      lacks.push({
        code: 'TOOL_MISSING',
        message: `${words} has no ${(version ? programsIn(version, tool, gpu) : variantsOf(tool, gpu)).join(' or ')}`,
        remedy:
          tool === 'eddy' && gpu
            ? 'Install an FSL with eddy_cuda, or leave out gpu: true'
            : 'Install all of FSL, or choose another image',
      });
  const { flags, outputs } = SINCE['eddy'];
  for (const flag of profile.eddyFlags.map((text) => text.split('=')[0])) {
    const since = flags[flag];
    const has = help === undefined ? !version || !since || !isBefore(version, since) : help.includes(flag);
    if (!has)
      lacks.push({
        code: 'TOOL_MISSING',
        message: `eddy of ${words} has no ${flag}${since ? ` (it came with FSL ${since})` : ''}`,
        remedy: `Use a newer FSL, or profile fsl-5.0 instead of ${profile.name}`,
      });
  }
  for (const [file, since] of Object.entries(outputs))
    if (version && isBefore(version, since))
      lacks.push({
        code: 'TOOL_MISSING',
        message: `eddy of ${words} does not write ${file} (it came with FSL ${since})`,
        remedy: `Use FSL ${since} or later: ${FAILURES.TOOL_MISSING.remedy.toLowerCase()}`,
      });
  return lacks;
}
