/**
 * The published pipeline, command by command (profile fsl-5.0), against a file that people can read beside FSL's manual;
 * and a subject as a shell script.
 *
 * Where each word of test/fixtures/fsl-5.0-commands.txt comes from, checked by hand against FSL's user guides:
 * - order and tools: the paper's method section (topup, mcflirt, eddy, dtifit --wls per session; flirt of the 24 h session
 *   onto the baseline; fsl_reg of FA onto FMRIB58_FA_1mm; both MD maps to the template);
 * - fslroi IN OUT FIRST COUNT, fslmerge -t OUT IN...: the b0s topup gets are those of both sets, in the order of acqparams;
 * - topup --imain --datain --config=b02b0.cnf --out --fout --iout: topup's guide, "b02b0.cnf" is its own schedule for b0s;
 * - mcflirt -refvol 0 -plots: onto the first volume, a b0; -cost mutualinfo, as b0 and diffusion-weighted volumes differ in
 *   contrast. Without -mats: the matrices would be written beside the same image and read by nobody;
 * - fslmaths -Tmean, bet -m -f 0.3: the mask eddy's guide makes of the undistorted b0s;
 * - eddy --imain --mask --acqp --index --bvecs --bvals --topup --out: the options that eddy's guide calls compulsory, and topup;
 *   nothing else in 5.0's pipeline. --topup names the prefix of _fieldcoef and _movpar;
 * - dtifit -k -m -r -b -o --wls: with eddy's rotated gradients;
 * - flirt -dof 6 -cost corratio: one head twice, so rigid; corratio is flirt's default, said aloud;
 * - fsl_reg IN REF OUT -FA: affine, then fnirt by FA_2_FMRIB58_1mm.cnf;
 * - applywarp -i -r -w --premat --interp -o: one interpolation; nearest neighbour for the mask.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../config/profiles.ts';
import type { PreparedSession } from '../../pipeline/protocol.ts';
import { type PlannedStep, plannedSteps, quoted, scriptOf } from '../../pipeline/script.ts';
import type { FileRef } from '../../pipeline/step.ts';
import type { StudyPlan } from '../../pipeline/study.ts';

const file = (path: string): FileRef => ({ path, sha256: `content of ${path}` });

const PLAN: StudyPlan = {
  study: 'ketamine',
  studyFile: '/study.yaml',
  work: '/work',
  sessions: { baseline: 'baseline', followup: '24h' },
  directions: ['AP', 'PA'],
  profile: PROFILES['fsl-5.0'],
  template: file('/fsl/data/standard/FMRIB58_FA_1mm.nii.gz'),
  runtime: { kind: 'process', fslDir: '/fsl' },
  retries: { toolRetries: 1, memoryLimitMiB: 16384 },
  cpus: 2,
  memoryMiB: 4096,
  timeFactor: 1,
  subjectsAtOnce: 1,
};

/** The paper's session: two full sets of opposite phase encoding, the 4 b0s of each at its beginning. */
const session =
  (bids: string, subject: string) =>
  async (label: string | null): Promise<PreparedSession> => {
    const set = (dir: string) => file(`${bids}/${subject}/ses-${label}/dwi/${subject}_dir-${dir}_dwi.nii.gz`);
    return {
      session: label,
      b0Runs: ['AP', 'PA'].map((dir) => ({ image: set(dir), first: 0, count: 4, label: `b0 ${dir}` })),
      dwi: [set('AP'), set('PA')],
      topup: true,
      acqparamsB0: file('/text/acqparams_b0.txt'),
      acqparams: file('/text/acqparams.txt'),
      index: file('/text/index.txt'),
      bvals: file('/text/dwi.bval'),
      bvecs: file('/text/dwi.bvec'),
      notes: [],
    };
  };

/** One command a line, under it where its inputs come from. */
function written(steps: readonly PlannedStep[]): string {
  const blocks = steps.map(({ folder, run }) => {
    const from = Object.entries(run.inputs).map(([staged, { path }]) => `    ${staged} = ${path}`);
    return [`${folder}$ ${run.argv.join(' ')}`, ...from].join('\n');
  });
  return `${blocks.join('\n')}\n`;
}

describe('the published pipeline', () => {
  it('is these commands, in this order, with these inputs', async () => {
    const steps = await plannedSteps(PLAN, session('/bids', 'sub-01'));
    expect(written(steps)).toBe(await readFile('test/fixtures/fsl-5.0-commands.txt', 'utf8'));
  });
});

describe('a script of a subject', () => {
  const scripted = async (bids: string, subject = 'sub-01', plan = PLAN) => {
    const steps = await plannedSteps(plan, session(bids, subject));
    const texts = Object.fromEntries(
      ['acqparams_b0.txt', 'acqparams.txt', 'index.txt', 'dwi.bval', 'dwi.bvec'].map((name) => [
        `/text/${name}`,
        { name, text: '0 -1 0 0.05\n0 1 0 0.05\n' },
      ]),
    );
    const facts = { by: 'delta-md 1', study: 'ketamine', profile: 'fsl-5.0', bids, gpu: false };
    return { steps, script: scriptOf(plan, [{ subject, steps, texts }], facts) };
  };

  it('holds every command once, in order, each under the name of its session and step', async () => {
    const { steps, script } = await scripted('/data/bids');
    const lines = script.split('\n');
    let at = 0;
    for (const { where, label, run } of steps) {
      at = lines.indexOf(`# sub-01, ${where}: ${label}`, at);
      expect(at, label).toBeGreaterThan(0);
      expect(lines.slice(at, lines.indexOf('', at))).toContain(run.argv.join(' '));
    }
    expect(lines).toContain('set -euo pipefail');
    expect(lines).toContain('BIDS=/data/bids');
    // Texts are written once a session, and used from there.
    expect(lines.filter((line) => line.includes('acqparams.txt << '))).toHaveLength(2);
  });

  it('runs, with names that would do harm unquoted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'delta-md-'));
    try {
      const bids = `${folder}/it's $(touch harm) "ü→β" \`touch harm\`\ntouch harm #`;
      const { script, steps } = await scripted(bids, 'sub-01', {
        ...PLAN,
        template: file("/a template's; touch harm"),
      });
      await writeFile(join(folder, 'script.sh'), script);
      execFileSync('bash', ['-n', join(folder, 'script.sh')]);
      // Stand-ins that only say what they were given: their words, and where each staged name leads.
      await writeFile(
        join(folder, 'tool'),
        `#!/usr/bin/env bash\nprintf '%s\\0' "\${0##*/}" "$@" >> ${quoted(folder)}/said; printf '\\n' >> ${quoted(folder)}/said\nfor f in in/*; do readlink -n "$f"; printf '\\0'; done >> ${quoted(folder)}/links\n`,
        { mode: 0o755 },
      );
      const tools = new Set(steps.map(({ run }) => run.argv[0]));
      for (const tool of tools) {
        // An FSL of 5.0.9 calls it so.
        const name = tool === 'eddy' ? 'eddy_openmp' : tool;
        execFileSync('ln', ['-s', 'tool', join(folder, name)]);
      }
      execFileSync('bash', [join(folder, 'script.sh')], {
        cwd: folder,
        env: { PATH: `${folder}:/usr/bin:/bin`, OUT: 'out put' },
      });
      const said = (await readFile(join(folder, 'said'), 'utf8')).split('\n').slice(0, -1);
      expect(said.map((line) => line.split('\0').slice(0, -1))).toEqual(
        steps.map(({ run }) => [run.argv[0].replace(/^eddy$/, 'eddy_openmp'), ...run.argv.slice(1)]),
      );
      const links = (await readFile(join(folder, 'links'), 'utf8')).split('\0').slice(0, -1);
      expect(links).toContain(`${bids}/sub-01/ses-24h/dwi/sub-01_dir-PA_dwi.nii.gz`);
      expect(links).toContain("/a template's; touch harm");
      expect(links).toContain(`${folder}/out put/sub-01/ses-24h/acqparams.txt`);
      expect(links).toHaveLength(steps.flatMap(({ run }) => Object.keys(run.inputs)).length);
      const acqparams = await readFile(join(folder, 'out put/sub-01/ses-24h/acqparams.txt'), 'utf8');
      expect(acqparams).toBe('0 -1 0 0.05\n0 1 0 0.05\n');
      expect(execFileSync('find', [folder, '-name', 'harm*'], { encoding: 'utf8' })).toBe('');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
