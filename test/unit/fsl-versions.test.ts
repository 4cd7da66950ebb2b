import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../config/profiles.ts';
import {
  commandFor,
  type FslVersion,
  fslVersionWords,
  lacking,
  parseFslVersion,
  programsIn,
  toolsOf,
} from '../../pipeline/fsl-versions.ts';

const HELP = fileURLToPath(new URL('../fixtures/fsl-help/', import.meta.url));
/** Names in the bin/ of an FSL that has all a profile needs, with these programs for eddy. */
const bin = (...eddy: string[]) => [
  ...toolsOf(PROFILES['fsl-5.0']).filter((tool) => tool !== 'eddy'),
  ...eddy,
];

describe('the version of an FSL', () => {
  it.each([
    ['6.0.4:ddd0a010\n', [6, 0, 4], 'FSL 6.0.4'],
    ['5.0.9\n', [5, 0, 9], 'FSL 5.0.9'],
    ['6.0.7.15', [6, 0, 7], 'FSL 6.0.7.15'],
  ])('%j', (text, version, words) => {
    expect(parseFslVersion(text)).toEqual(version);
    expect(fslVersionWords(text)).toBe(words);
  });
  it('is not made up', () => expect(parseFslVersion('delta-md toolkit')).toBeUndefined());
});

describe('the program that stands for eddy', () => {
  it.each<[string, string[], string]>([
    ['FSL 5.0.8 and the built-in tools', ['eddy'], 'eddy'],
    ['FSL 5.0.9 to 6.0.5', ['eddy_openmp', 'eddy_cuda8.0', 'eddy_cuda9.1'], 'eddy_openmp'],
    ['FSL 6.0.6, where eddy is a script that takes a GPU if it sees one', ['eddy', 'eddy_cpu'], 'eddy_cpu'],
    ['nothing of it', [], 'eddy'],
  ])('%s', (_, present, program) => {
    expect(commandFor(['eddy', '--imain=in/dwi.nii.gz'], present)[0]).toBe(program);
  });

  it('takes the newest CUDA program when a GPU is asked for, and no other', () => {
    const present = ['eddy', 'eddy_cpu', 'eddy_cuda9.1', 'eddy_cuda10.2'];
    expect(commandFor(['eddy', '-v'], present, { gpu: true })).toEqual(['eddy_cuda10.2', '-v']);
  });

  it('gets its threads as it wants them', () => {
    expect(commandFor(['eddy', '--out=eddy'], ['eddy_cpu'], { cpus: 4 })).toEqual([
      'eddy_cpu',
      '--out=eddy',
      '--nthr=4',
    ]);
    expect(commandFor(['eddy', '--out=eddy'], ['eddy_openmp'], { cpus: 4 })).toEqual([
      'eddy_openmp',
      '--out=eddy',
    ]);
  });

  it('leaves every other tool as it is', () => {
    const argv = ['topup', '--imain=in/b0s.nii.gz'];
    expect(commandFor(argv, ['eddy_cpu'], { cpus: 4, gpu: true })).toEqual(argv);
  });
});

describe('the table', () => {
  it.each<[FslVersion, string[], string[]]>([
    [[5, 0, 8], ['eddy'], []],
    [
      [5, 0, 9],
      ['eddy_openmp', 'eddy'],
      ['eddy_cuda7.5', 'eddy_cuda'],
    ],
    [
      [6, 0, 4],
      ['eddy_openmp', 'eddy'],
      ['eddy_cuda9.1', 'eddy_cuda8.0', 'eddy_cuda'],
    ],
    [
      [6, 0, 7],
      ['eddy_cpu', 'eddy'],
      ['eddy_cuda11.0', 'eddy_cuda10.2', 'eddy_cuda9.1', 'eddy_cuda8.0', 'eddy_cuda'],
    ],
  ])('%j', (version, cpu, gpu) => {
    expect(programsIn(version, 'eddy')).toEqual(cpu);
    expect(programsIn(version, 'eddy', true)).toEqual(gpu);
  });

  it('agrees with what each version says of itself', () => {
    const flags = ['--repol', '--cnr_maps'];
    for (const name of readdirSync(HELP).filter((file) => file.endsWith('.txt'))) {
      const [program, release] = name.replace('.txt', '').split('-');
      const version = parseFslVersion(release)!;
      const gpu = program.includes('cuda');
      expect(programsIn(version, 'eddy', gpu), name).toContain(program);
      const help = readFileSync(HELP + name, 'utf8');
      const missing = lacking(PROFILES.modern, version, bin(program), { gpu })
        .map(({ message }) => /has no (--\w+)/.exec(message)?.[1])
        .filter((flag) => flag !== undefined);
      expect(missing, name).toEqual(flags.filter((flag) => !help.includes(flag)));
      // The usage text itself, where it is known, gives the same.
      const told = lacking(PROFILES.modern, version, bin(program), { gpu, help });
      expect(told.filter(({ message }) => message.includes('has no --'))).toHaveLength(missing.length);
    }
  });
});

describe('what an FSL lacks', () => {
  it('is nothing for the published pipeline on 5.0.9', () => {
    expect(lacking(PROFILES['fsl-5.0'], [5, 0, 9], bin('eddy_openmp'))).toEqual([]);
  });

  it('is rotated bvecs before 5.0.9, which is said with the version to get', () => {
    const lacks = lacking(PROFILES['fsl-5.0'], [5, 0, 8], bin('eddy'));
    expect(lacks.map(({ message }) => message)).toEqual([
      'eddy of FSL 5.0.8 does not write eddy_rotated_bvecs (it came with FSL 5.0.9)',
      'eddy of FSL 5.0.8 does not write eddy_movement_rms (it came with FSL 5.0.9)',
    ]);
    for (const { remedy } of lacks) expect(remedy).toContain('FSL 5.0.9 or later');
  });

  it('names a missing tool, and eddy_cuda where a GPU is asked for', () => {
    const programs = bin('eddy_openmp').filter((tool) => tool !== 'topup');
    expect(lacking(PROFILES['fsl-5.0'], [6, 0, 4], programs)).toMatchObject([
      { message: 'FSL 6.0.4 has no topup' },
    ]);
    const [lack] = lacking(PROFILES['fsl-5.0'], [6, 0, 4], bin('eddy_openmp'), { gpu: true });
    expect(lack.message).toContain('eddy_cuda');
    expect(lack.remedy).toContain('gpu: true');
  });

  it('is not guessed for a version nobody knows', () => {
    expect(lacking(PROFILES.modern, undefined, bin('eddy'))).toEqual([]);
  });
});
