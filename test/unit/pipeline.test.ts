/** The steps' command lines, word for word, and how files are staged for them. */
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../config/profiles.ts';
import { nextAllowance } from '../../pipeline/escalation.ts';
import { FAILURES } from '../../pipeline/failures.ts';
import { classOf, queueOf, RESOURCE_CLASSES } from '../../pipeline/resources.ts';
import { type FileRef, plan } from '../../pipeline/step.ts';
import { applywarp } from '../../pipeline/steps/applywarp.ts';
import { bet } from '../../pipeline/steps/bet.ts';
import { dtifit } from '../../pipeline/steps/dtifit.ts';
import { eddy } from '../../pipeline/steps/eddy.ts';
import { flirt } from '../../pipeline/steps/flirt.ts';
import { fslReg } from '../../pipeline/steps/fsl_reg.ts';
import { fslmerge } from '../../pipeline/steps/fslmerge.ts';
import { fslroi } from '../../pipeline/steps/fslroi.ts';
import { mcflirt } from '../../pipeline/steps/mcflirt.ts';
import { mean } from '../../pipeline/steps/mean.ts';
import { topup } from '../../pipeline/steps/topup.ts';

const file = (name: string): FileRef => ({ path: `/data/sub 01/ä; rm -rf $HOME/${name}`, sha256: name });
const line = (run: { argv: readonly string[] }) => run.argv.join(' ');

describe('command lines', () => {
  const profile = PROFILES['fsl-5.0'];
  const dwi = file('dwi.nii.gz');
  const eddyInputs = {
    dwi,
    mask: file('m.nii.gz'),
    acqparams: file('acqparams.txt'),
    index: file('index.txt'),
    bvecs: file('dwi.bvec'),
    bvals: file('dwi.bval'),
    flags: profile.eddyFlags,
  };

  it.each([
    [line(plan(fslroi, { image: dwi, first: 4, count: 2 })), 'fslroi in/image.nii.gz volumes 4 2'],
    [
      line(plan(fslmerge, { series: [dwi, file('b.nii')] })),
      'fslmerge -t merged in/series-1.nii.gz in/series-2.nii',
    ],
    [
      line(plan(topup, { b0s: dwi, acqparams: file('a.txt') })),
      'topup --imain=in/b0s.nii.gz --datain=in/acqparams.txt --config=b02b0.cnf --out=topup --fout=field_hz --iout=b0s_unwarped',
    ],
    [
      line(plan(mcflirt, { dwi, flags: profile.mcflirtFlags })),
      'mcflirt -in in/dwi.nii.gz -out dwi_mc -refvol 0 -plots -cost mutualinfo',
    ],
    [line(plan(mean, { series: dwi })), 'fslmaths in/series.nii.gz -Tmean mean'],
    [line(plan(bet, { b0: dwi, fraction: profile.betFraction })), 'bet in/b0.nii.gz b0_brain -m -f 0.3'],
    [
      line(
        plan(eddy, {
          ...eddyInputs,
          topup_fieldcoef: file('topup_fieldcoef.nii.gz'),
          topup_movpar: file('topup_movpar.txt'),
        }),
      ),
      'eddy --imain=in/dwi.nii.gz --mask=in/mask.nii.gz --acqp=in/acqparams.txt --index=in/index.txt --bvecs=in/bvecs.bvec --bvals=in/bvals.bval --topup=in/topup --out=eddy',
    ],
    [
      line(plan(eddy, eddyInputs)),
      'eddy --imain=in/dwi.nii.gz --mask=in/mask.nii.gz --acqp=in/acqparams.txt --index=in/index.txt --bvecs=in/bvecs.bvec --bvals=in/bvals.bval --out=eddy',
    ],
    [
      line(
        plan(dtifit, {
          data: dwi,
          mask: dwi,
          bvecs: file('eddy.eddy_rotated_bvecs'),
          bvals: file('b.bval'),
          flags: profile.dtifitFlags,
        }),
      ),
      'dtifit -k in/data.nii.gz -m in/mask.nii.gz -r in/bvecs.eddy_rotated_bvecs -b in/bvals.bval -o dti --wls',
    ],
    [
      line(plan(flirt, { moving: dwi, reference: dwi, flags: profile.flirtFlags })),
      'flirt -in in/moving.nii.gz -ref in/reference.nii.gz -omat moving_to_reference.mat -dof 6 -cost corratio',
    ],
    [
      line(plan(fslReg, { fa: dwi, template: dwi })),
      'fsl_reg in/fa.nii.gz in/template.nii.gz fa_to_template -FA',
    ],
    [
      line(
        plan(applywarp, { map: dwi, template: dwi, warp: dwi, premat: file('m.mat'), interp: 'trilinear' }),
      ),
      'applywarp -i in/map.nii.gz -r in/template.nii.gz -w in/warp.nii.gz --premat=in/premat.mat --interp=trilinear -o warped',
    ],
    [
      line(plan(applywarp, { map: dwi, template: dwi, warp: dwi, interp: 'nn' })),
      'applywarp -i in/map.nii.gz -r in/template.nii.gz -w in/warp.nii.gz --interp=nn -o warped',
    ],
  ])('%s', (actual, expected) => {
    expect(actual).toBe(expected);
  });

  it('stages hostile names under plain ones and keeps what lies there by content', () => {
    const run = plan(eddy, { ...eddyInputs, topup_fieldcoef: file('x_fieldcoef.nii.gz') });
    expect(run.inputs['in/topup_fieldcoef.nii.gz']).toEqual(file('x_fieldcoef.nii.gz'));
    for (const word of run.argv) expect(word).not.toMatch(/rm -rf|ä|\$/);
  });

  it('is the same for every subject', () => {
    const other = (name: string): FileRef => ({ path: `/elsewhere/${name}`, sha256: 'x' });
    expect(plan(topup, { b0s: dwi, acqparams: file('a.txt') }).argv).toEqual(
      plan(topup, { b0s: other('z.nii.gz'), acqparams: other('q.txt') }).argv,
    );
  });
});

describe('escalation', () => {
  const policy = { toolRetries: 1, memoryLimitMiB: 5000 };
  const fresh = { memoryMiB: 2000, minutes: 10, toolFailures: 0, timeDoubled: false };

  it('tries a failed tool again as often as configured', () => {
    const second = nextAllowance('TOOL_FAILED', fresh, policy);
    expect(second).toEqual({ ...fresh, toolFailures: 1 });
    expect(second && nextAllowance('TOOL_FAILED', second, policy)).toBeUndefined();
  });
  it('doubles memory up to the limit', () => {
    const second = nextAllowance('OUT_OF_MEMORY', fresh, policy);
    expect(second?.memoryMiB).toBe(4000);
    const third = second && nextAllowance('OUT_OF_MEMORY', second, policy);
    expect(third?.memoryMiB).toBe(5000);
    expect(third && nextAllowance('OUT_OF_MEMORY', third, policy)).toBeUndefined();
  });
  it('doubles the time once', () => {
    const second = nextAllowance('TIMED_OUT', fresh, policy);
    expect(second).toMatchObject({ minutes: 20, timeDoubled: true });
    expect(second && nextAllowance('TIMED_OUT', second, policy)).toBeUndefined();
  });
  it.each(Object.entries(FAILURES).filter(([, f]) => f.class === 'input' || f.class === 'infrastructure'))(
    'leaves %s to others',
    (code) => {
      expect(nextAllowance(code as keyof typeof FAILURES, fresh, policy)).toBeUndefined();
    },
  );
});

describe('classes of work', () => {
  it('light by its minutes, memory where it has grown, gpu only in a study that has one', () => {
    expect(classOf(fslroi.resources, false)).toBe('light');
    expect(classOf(eddy.resources, false)).toBe('compute');
    expect(classOf({ ...eddy.resources, memoryMiB: 8192 }, false)).toBe('memory');
    expect(classOf(eddy.resources, true)).toBe('gpu');
    expect(classOf(fslroi.resources, true)).toBe('light');
    expect(RESOURCE_CLASSES.map((one) => queueOf('delta-md', one))).toEqual([
      'delta-md',
      'delta-md-compute',
      'delta-md-memory',
      'delta-md-gpu',
    ]);
  });
});
