/** How well mcflirt finds a head's motion in a series of b = 0 and diffusion-weighted volumes. */
import { join } from 'node:path';
import { readMatrix } from '../../containers/toolkit/files.ts';
import { chain, invert, type Matrix4, multiply } from '../../imaging/affine.ts';
import { voxelToFsl } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { motionMatrix } from '../../imaging/phantom/scanner.ts';
import type { Figure, Group, Laboratory } from './figure.ts';
import { rmsOnReference } from './measures.ts';
import { fullScan } from './scan.ts';

const rms = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

/** Angle in degrees of a matrix's rotation. */
function angleOf(m: Matrix4): number {
  return (Math.acos(Math.min(1, (m[0] + m[5] + m[10] - 1) / 2)) * 180) / Math.PI;
}

async function measure(laboratory: Laboratory): Promise<Figure[]> {
  const { folder } = laboratory;
  const { session, mask: maskPath } = await fullScan(folder, { eddyCurrents: 0, susceptibility: 0 });
  const { ap, grid } = session;
  await writeImage(join(folder, 'ap.nii.gz'), ap.image);
  const mask = await readImage(maskPath);
  const toFsl = multiply(voxelToFsl(grid), invert(grid.affine));
  const volumes = [...ap.gradients.bvals.keys()];
  const [b0s, dwis] = [0, 1].map((kind) => volumes.filter((t) => Math.sign(ap.gradients.bvals[t]) === kind));

  /** Runs mcflirt against volume `to`; errors of the given volumes but the reference. */
  const run = async (cost: string, to: number) => {
    const out = `${cost}_${to}`;
    const flags = ['-refvol', `${to}`, '-cost', cost, '-mats', '-plots'];
    const { seconds, peakMb } = await laboratory.run('mcflirt', '-in', 'ap', '-out', out, ...flags);
    const errorsOf = async (chosen: readonly number[]) => {
      const errors: { mm: number; degrees: number }[] = [];
      for (const t of chosen) {
        if (t === to) continue;
        const [reference, here] = [to, t].map((v) => motionMatrix(ap.motion[v], grid));
        const truth = chain(toFsl, reference, invert(here), invert(toFsl));
        const found = await readMatrix(join(folder, `${out}.mat`, `MAT_${String(t).padStart(4, '0')}`));
        errors.push({
          mm: rmsOnReference(truth, found, mask),
          degrees: angleOf(multiply(found, invert(truth))),
        });
      }
      return errors;
    };
    return { seconds, peakMb, errorsOf };
  };
  const displacement = (what: string, errors: readonly { mm: number }[]): Figure => ({
    what,
    value: rms(errors.map(({ mm }) => mm)),
    unit: 'mm',
    bound: { atMost: 0.15 },
  });

  const across = await run('mutualinfo', 0);
  const [still, weighted] = [await across.errorsOf(b0s), await across.errorsOf(dwis)];
  const b0 = await run('normcorr', 0);
  const dwi = await run('normcorr', dwis[0]);
  return [
    displacement('mutualinfo, b0s onto a b0: RMS displacement in the brain', still),
    displacement('mutualinfo, b = 1000 onto a b0: RMS displacement in the brain', weighted),
    {
      what: 'mutualinfo, largest angular error of rotated b-vectors',
      value: Math.max(...[...still, ...weighted].map(({ degrees }) => degrees)),
      unit: 'degrees',
      bound: { atMost: 0.3 },
    },
    displacement('normcorr, b0s onto a b0: RMS displacement in the brain', await b0.errorsOf(b0s)),
    displacement(
      'normcorr, b = 1000 onto a b = 1000: RMS displacement in the brain',
      await dwi.errorsOf(dwis),
    ),
    {
      what: `mutualinfo, ${volumes.length} volumes, two threads: wall time`,
      value: across.seconds,
      unit: 's',
      bound: { atMost: 11.6 },
      fsl: 11.6,
    },
    {
      what: 'peak memory',
      value: Math.max(across.peakMb, b0.peakMb, dwi.peakMb),
      unit: 'MB',
      bound: { atMost: 3072 },
    },
  ];
}

export const mcflirt: Group = {
  name: 'mcflirt',
  title: 'Head motion (mcflirt)',
  method:
    'The AP set of the full-size scan (4 b0 and 30 b = 1000 volumes of 2 mm, SNR 20) without eddy currents and ' +
    'susceptibility, which no rigid transform could undo; coil shading stays. The head drifts and jumps by up to 3 mm. ' +
    'The command runs as the pipeline runs it, with mutual information against the first volume, a b0; and with its default, ' +
    "normalized correlation, against volumes of one's own contrast. Against another contrast normalized correlation has no " +
    'meaning, in FSL as here (fluid is the brightest in one and the darkest in the other: errors of 6 mm). Errors are RMS ' +
    "displacements over the brain, pooled over volumes without the reference. B-vectors turn with the matrices' rotations.",
  measure,
};
