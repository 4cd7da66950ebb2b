/** How well flirt finds known poses, and how near it comes to FSL's result on real scans. */
import { join } from 'node:path';
import { readMatrix } from '../../containers/toolkit/files.ts';
import { DEFAULTS, register, type Volume } from '../../containers/toolkit/flirt/register.ts';
import { chain, identity, invert, type Matrix4, scaling, translation } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, voxelToFsl } from '../../imaging/image.ts';
import { resample } from '../../imaging/interpolate.ts';
import { readImage } from '../../imaging/nifti.ts';
import { buildPhantom } from '../../imaging/phantom/index.ts';
import { type RandomStream, randomStream } from '../../imaging/phantom/random.ts';
import { SIGMA_TO_FWHM, smooth } from '../../imaging/smooth.ts';
import type { Figure, Group, Laboratory } from './figure.ts';
import { rmsOnReference } from './measures.ts';

const POSES = 200;
const SEED = 7;
const MM = 4;
/** White matter's signal over the noise's standard deviation. */
const SNR = 20;
const WHITE_MATTER = 420;
/** Middle of the phantom's head in world mm. */
const HEAD = [0, -18, 8] as const;

/** A grid of 4 mm voxels about the middle of the head. */
function gridOf(extent: readonly [number, number, number]): Grid {
  const dims = extent.map((mm) => Math.ceil(mm / MM)) as [number, number, number];
  const [x, y, z] = dims.map((n) => ((n - 1) * MM) / 2);
  return gridFromAffine(
    dims,
    Float64Array.of(-MM, 0, 0, HEAD[0] + x, 0, MM, 0, HEAD[1] - y, 0, 0, MM, HEAD[2] - z, 0, 0, 0, 1),
  );
}
/** A usual field of view, and one that holds the head in every pose. */
const REFERENCE = gridOf([186, 222, 162]);
const SOURCE = gridOf([256, 256, 256]);

function direction(random: RandomStream): [number, number, number] {
  const v = [random.normal(), random.normal(), random.normal()];
  const length = Math.hypot(...v);
  return [v[0] / length, v[1] / length, v[2] / length];
}

/** Rotation by `angle` radians about a unit vector (Rodrigues). */
function turnAbout([x, y, z]: readonly [number, number, number], angle: number): Matrix4 {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const t = 1 - c;
  return Float64Array.of(
    ...[t * x * x + c, t * x * y - s * z, t * x * z + s * y, 0],
    ...[t * x * y + s * z, t * y * y + c, t * y * z - s * x, 0],
    ...[t * x * z - s * y, t * y * z + s * x, t * z * z + c, 0],
    ...[0, 0, 0, 1],
  );
}

/** A head's pose: where it lies in the source's world, and the degrees of freedom that undo it. */
function drawPose(random: RandomStream, dof: 9 | 12): Matrix4 {
  const turn = turnAbout(direction(random), ((40 * Math.PI) / 180) * random.uniform());
  const way = direction(random);
  const length = 30 * random.uniform();
  const [sx, sy, sz] = [0, 1, 2].map(() => 1.15 ** (2 * random.uniform() - 1));
  // Nine degrees of freedom stretch along the image's axes, twelve along any.
  const frame = dof === 9 ? identity() : turnAbout(direction(random), Math.PI * random.uniform());
  return chain(
    translation(HEAD[0] + length * way[0], HEAD[1] + length * way[1], HEAD[2] + length * way[2]),
    invert(frame),
    scaling(sx, sy, sz),
    frame,
    turn,
    translation(-HEAD[0], -HEAD[1], -HEAD[2]),
  );
}

/** Errors in mm of the registration of every pose. */
async function poses(laboratory: Laboratory): Promise<number[]> {
  const phantom = buildPhantom();
  const fromWorld = invert(phantom.grid.affine);
  const brain = phantom.s0.map((v, o) => v * phantom.brain[o]);
  // What a scan of 4 mm sees of the phantom's 2 mm.
  const sigma =
    Math.sqrt(MM ** 2 - phantom.grid.voxelSizes[0] ** 2) / SIGMA_TO_FWHM / phantom.grid.voxelSizes[0];
  const anatomy = smooth(brain, phantom.grid.dims, [sigma, sigma, sigma]);
  const scan = (grid: Grid, pose: Matrix4, noise: RandomStream): Volume => {
    const m = chain(fromWorld, invert(pose), grid.affine);
    const sd = WHITE_MATTER / SNR;
    const data = resample(anatomy, phantom.grid.dims, grid, m, 'spline');
    return { grid, data: data.map((v) => Math.hypot(v + sd * noise.normal(), sd * noise.normal())) };
  };
  const reference = scan(REFERENCE, identity(), randomStream(SEED, 'flirt', 'reference'));
  const mask: Image = {
    grid: REFERENCE,
    volumes: 1,
    data: resample(phantom.brain, phantom.grid.dims, REFERENCE, chain(fromWorld, REFERENCE.affine)),
  };
  const random = randomStream(SEED, 'flirt', 'poses');
  const errors: number[] = [];
  for (let p = 0; p < POSES; p++) {
    const dof = p % 2 === 0 ? 9 : 12;
    const pose = drawPose(random, dof);
    const source = scan(SOURCE, pose, randomStream(SEED, 'flirt', 'noise', `${p}`));
    const { matrix } = await register(reference, source, { ...DEFAULTS, dof });
    const truth = chain(
      voxelToFsl(REFERENCE),
      invert(REFERENCE.affine),
      invert(pose),
      SOURCE.affine,
      invert(voxelToFsl(SOURCE)),
    );
    errors.push(rmsOnReference(truth, matrix, mask));
    if (p % 20 === 19)
      laboratory.say(`pose ${p + 1} of ${POSES}, worst so far ${Math.max(...errors).toFixed(2)} mm`);
  }
  return errors;
}

/** Distance in mm from FSL's result for two sessions of one head. */
async function sessions(laboratory: Laboratory): Promise<number> {
  const canon = (name: string) => join(laboratory.shared, 'reference/canon', name);
  const argv = ['-dof', '6', '-cost', 'corratio', '-omat', 'ses-2_to_ses-1.mat'];
  const [moving, fixed] = ['ses-2_dtifit_wls_FA', 'ses-1_dtifit_wls_FA'];
  await laboratory.run('flirt', '-in', canon(moving), '-ref', canon(fixed), ...argv);
  const found = await readMatrix(join(laboratory.folder, 'ses-2_to_ses-1.mat'));
  const fsl = await readMatrix(canon('ses-2_to_ses-1.mat'));
  return rmsOnReference(fsl, found, await readImage(canon('ses-1_bet_mask.nii.gz')));
}

export const flirt: Group = {
  name: 'flirt',
  title: 'Linear registration (flirt)',
  method:
    `${POSES} poses of a simulated b = 0 brain, in 4 mm voxels with noise (SNR ${SNR}): turned by up to 40 degrees about a ` +
    'random axis, moved by up to 30 mm in a random direction, stretched by up to 15 % along each of three axes. Half of ' +
    "the poses stretch along the image's axes and are registered with 9 degrees of freedom, half along oblique axes with 12. " +
    'Reference and source have their own noise; the source is sampled once, from the 2 mm phantom. Registration is the ' +
    "one behind the command, called in-process, with FSL's defaults: correlation ratio, search from -90 to 90 degrees " +
    'about each axis, no initial matrix. Errors are RMS displacements over the brain. The second figure lays FA of ' +
    "session 2 of a real subject onto session 1 and compares with FSL 5.0.9's matrix; that one is no truth: b0s and " +
    'MD of the same sessions, which neither registration has seen, put the optimum 0.6 to 0.8 mm from it, on the side of ours: ' +
    "a turn of 0.6 to 0.7 degrees about y, whatever the cost (corratio, normcorr, leastsq), bins (85, 256) and blur (0 to 3 mm). Samples on the reference's own voxels, " +
    'without the offsets that spread them over all phases of the interpolation, would bring 0.46 mm, and errors on simulated pairs of such sessions ' +
    '(FA of 3 mm scans, 12 directions, SNR 20; 0.04 mm with the offsets) of 0.08 to 0.12 mm.',
  async measure(laboratory): Promise<Figure[]> {
    const errors = await poses(laboratory);
    return [
      {
        what: `poses found within 1 mm RMS in the brain, of ${POSES}`,
        value: errors.filter((e) => e <= 1).length / POSES,
        unit: '',
        bound: { atLeast: 0.99 },
      },
      {
        what: "FA of session 2 onto session 1, 6 dof, RMS from FSL's matrix",
        value: await sessions(laboratory),
        unit: 'mm',
        bound: { atMost: 0.5 },
      },
    ];
  },
};
