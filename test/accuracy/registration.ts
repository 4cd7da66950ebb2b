/** Registration to a template, and what is done with warps, beside truth and FSL's own results. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { roiValues } from '../../activities/rois.ts';
import { pointMap, readWarp } from '../../containers/toolkit/warp/warp.ts';
import { invert, multiply, translation } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, regrid, volumeOf, voxelToFsl } from '../../imaging/image.ts';
import { sampleLinear, sampleSpline, splineCoefficients } from '../../imaging/interpolate.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import {
  buildPhantom,
  fractionalAnisotropy,
  NO_ARTEFACTS,
  simulateSession,
  templateFa,
} from '../../imaging/phantom/index.ts';
import { randomStream } from '../../imaging/phantom/random.ts';
import { anatomyOf, templateCoordinates } from '../../imaging/phantom/subject.ts';
import type { Figure, Group, Laboratory } from './figure.ts';
import { correlation, median } from './measures.ts';

/** Noise of the warped copy's FA: half of what a 30-direction scan at SNR 20 leaves. */
const FA_NOISE = 0.01;

/** The template as another head of 2 mm voxels would have it: bent, placed elsewhere, noisy. */
function warpedCopy(template: Image): Image {
  const { grid, data } = template;
  const coarse = regrid(grid, 2);
  const own: Grid = gridFromAffine(coarse.dims, multiply(translation(6, -8, 5), coarse.affine));
  const map = templateCoordinates(anatomyOf(11, 'warped copy', 1), own, own.affine);
  const random = randomStream(11, 'warped copy', 'noise');
  const top = data.reduce((most, v) => Math.max(most, v), 0);
  const coefficients = splineCoefficients(data, grid.dims);
  const m = invert(grid.affine);
  const n = map.length / 3;
  const out = new Float32Array(n);
  for (let o = 0; o < n; o++) {
    const [x, y, z] = [map[o], map[n + o], map[2 * n + o]];
    const voxel = [0, 4, 8].map((r) => m[r] * x + m[r + 1] * y + m[r + 2] * z + m[r + 3]);
    const [i, j, k] = voxel;
    // A voxel outside the template's mask holds nothing, not even noise.
    if (sampleLinear(data, grid.dims, i, j, k) === 0) continue;
    const fa = sampleSpline(coefficients, grid.dims, i, j, k) / top;
    out[o] = Math.max(1e-3, fa + FA_NOISE * random.normal());
  }
  return { grid: own, volumes: 1, data: out };
}

async function copyFigures(laboratory: Laboratory, templatePath: string, template: Image): Promise<Figure[]> {
  const { folder, run } = laboratory;
  await writeImage(join(folder, 'copy.nii.gz'), warpedCopy(template));
  await run('fsl_reg', 'copy', templatePath, 'copy_to_template', '-FA');
  const warped = await readImage(join(folder, 'copy_to_template.nii.gz'));
  return [
    {
      what: 'warped copy of FMRIB58_FA, correlation inside its mask',
      value: correlation(warped.data, template.data, template.data),
      unit: '',
      bound: { atLeast: 0.995 },
      fsl: 0.995,
    },
  ];
}

/** White matter of the phantom: FA above this. */
const WHITE = 0.25;

async function subjectFigures(laboratory: Laboratory): Promise<Figure[]> {
  const { folder, run } = laboratory;
  const phantom = buildPhantom();
  const { grid, truth } = simulateSession({
    phantom,
    seed: 5,
    subject: 'registration',
    session: '1',
    protocol: { voxelMm: 2, directions: 6, b0s: 1 },
    artefacts: NO_ARTEFACTS,
  });
  const fa = fractionalAnisotropy(truth.tensor.data).map((v, o) => v * truth.brain.data[o]);
  const template = templateFa(phantom);
  await writeImage(join(folder, 'subject.nii.gz'), { grid, volumes: 1, data: fa });
  await writeImage(join(folder, 'phantom.nii.gz'), template);
  await run('fsl_reg', 'subject', 'phantom', 'subject_to_template', '-FA');
  const warped = await readImage(join(folder, 'subject_to_template.nii.gz'));
  const trips = await roundTrips(laboratory, 'subject_to_template_warp', 'subject', 'phantom');
  return [
    {
      what: 'simulated subject, FA against the template, correlation in its brain',
      value: correlation(warped.data, template.data, template.data),
      unit: '',
      bound: { atLeast: 0.9 },
    },
    {
      what: 'simulated subject, landmarks in white matter, median error',
      value: median(await landmarkErrors(join(folder, 'subject_to_template_warp'), template, truth.template)),
      unit: 'mm',
      bound: { atMost: 1.5 },
    },
    {
      what: 'simulated subject, template to subject and back, RMS in the brain',
      value: rmsLength(trips.fromTemplate, template.data),
      unit: 'mm',
      bound: { atMost: 0.1 },
    },
    {
      what: 'simulated subject, voxels where the warp or its inverse folds',
      value: trips.folds,
      unit: '',
      bound: { atMost: 0 },
    },
  ];
}

/** Distance in mm between white-matter voxels of the template and where the subject's point they are taken to truly belongs. */
async function landmarkErrors(warp: string, template: Image, truth: Image): Promise<number[]> {
  const { sourceAt } = pointMap(await readWarp(warp, 'relative'));
  const [nx, ny, nz] = template.grid.dims;
  const toFsl = voxelToFsl(template.grid);
  const toSubject = invert(voxelToFsl(truth.grid));
  const m = template.grid.affine;
  const p = new Float64Array(3);
  const errors: number[] = [];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (!(template.data[o] > WHITE)) continue;
        sourceAt(toFsl[0] * i + toFsl[3], toFsl[5] * j, toFsl[10] * k, p);
        const [x, y, z] = [0, 1, 2].map((c) => toSubject[5 * c] * p[c] + toSubject[4 * c + 3]);
        let square = 0;
        for (let c = 0; c < 3; c++) {
          const own = m[4 * c] * i + m[4 * c + 1] * j + m[4 * c + 2] * k + m[4 * c + 3];
          square += (sampleLinear(volumeOf(truth, c), truth.grid.dims, x, y, z) - own) ** 2;
        }
        errors.push(Math.sqrt(square));
      }
  return errors;
}

/** Rows of roi_md.tsv. */
async function fslRegions(path: string) {
  const rows = (await readFile(path, 'utf8')).trim().split('\n').slice(1);
  return rows.map((row) => {
    const [session, roi, , , coverage, md] = row.split('\t');
    return { session, roi, coverage: Number(coverage), md: Number(md) };
  });
}

/** Regions that FSL covers less than this are compared by coverage only: what is left of them lies at the mask's rim. */
const COVERED = 0.8;

async function headFigures(laboratory: Laboratory, templatePath: string, template: Image): Promise<Figure[]> {
  const { folder, shared, run } = laboratory;
  const canon = (name: string) => join(shared, 'reference/canon', name);
  const ours = (name: string) => readImage(join(folder, `${name}.nii.gz`));
  const registration = await run('fsl_reg', canon('ses-1_dtifit_wls_FA'), templatePath, 'head', '-FA');
  const fa = (await ours('head')).data;
  const fslFa = (await readImage(canon('ses-1_FA_template.nii.gz'))).data;

  const labels = await readImage(join(shared, 'standard/rois_1mm.nii.gz'));
  const regions = await fslRegions(canon('roi_md.tsv'));
  const rois = regions
    .filter(({ session }) => session === '1')
    .map(({ roi }, r) => ({ index: r + 1, name: roi }));
  let [md, coverage] = [0, 0];
  for (const session of ['1', '2']) {
    const premat = session === '1' ? [] : [`--premat=${canon('ses-2_to_ses-1.mat')}`];
    const take = (map: string, interp: string, out: string) =>
      run(
        'applywarp',
        '-i',
        canon(map),
        '-r',
        templatePath,
        '-w',
        'head_warp',
        ...premat,
        `--interp=${interp}`,
        '-o',
        out,
      );
    await take(`ses-${session}_dtifit_wls_MD`, 'trilinear', `md${session}`);
    await take(`ses-${session}_bet_mask`, 'nn', `mask${session}`);
    const [map, mask] = [await ours(`md${session}`), await ours(`mask${session}`)];
    const own = roiValues(map.data, mask.data, labels.data, rois);
    const fsl = regions.filter((region) => region.session === session);
    for (const [r, { mean, coverage: covered }] of own.entries()) {
      coverage = Math.max(coverage, Math.abs(covered - fsl[r].coverage));
      if (fsl[r].coverage > COVERED) md = Math.max(md, Math.abs((mean ?? Number.NaN) / fsl[r].md - 1));
    }
  }

  const coefficients = canon('ses-1_to_template_warpcoef');
  await run(
    'applywarp',
    '-i',
    canon('ses-1_dtifit_wls_FA'),
    '-r',
    templatePath,
    '-w',
    coefficients,
    '-o',
    'by_fsl',
  );
  const byFsl = (await ours('by_fsl')).data;
  let worst = 0;
  // FSL writes 0 in the half voxel beyond the outermost centres, where we still have data.
  for (let o = 0; o < fslFa.length; o++)
    if (fslFa[o] !== 0) worst = Math.max(worst, Math.abs(byFsl[o] - fslFa[o]));

  const brain = await readImage(canon('ses-1_bet_mask.nii.gz'));
  const trips = await roundTrips(laboratory, 'head_warp', canon('ses-1_dtifit_wls_FA'), templatePath);
  return [
    {
      what: "human head, FA in template space, correlation with FSL's",
      value: correlation(fa, fslFa, template.data),
      unit: '',
      bound: { atLeast: 0.93 },
    },
    {
      what: 'human head, FA in template space, correlation with FMRIB58_FA',
      value: correlation(fa, template.data, template.data),
      unit: '',
      bound: { atLeast: 0.923 },
      fsl: correlation(fslFa, template.data, template.data),
    },
    {
      what: "regional MD through our warp against FSL's, largest difference",
      value: 100 * md,
      unit: '%',
      bound: { atMost: 1.5 },
    },
    {
      what: "coverage of regions against FSL's, largest difference",
      value: coverage,
      unit: '',
      bound: { atMost: 0.05 },
    },
    {
      what: "FSL's coefficients through applywarp, largest difference in FA from FSL's",
      value: worst,
      unit: '',
      bound: { atMost: 1e-4 },
    },
    {
      what: 'human head, template to head and back, RMS in the brain',
      value: rmsLength(trips.fromTemplate, template.data),
      unit: 'mm',
      bound: { atMost: 0.1 },
    },
    {
      what: 'human head, head to template and back, RMS in the brain',
      value: rmsLength(trips.fromInput, brain.data),
      unit: 'mm',
      bound: { atMost: 0.1 },
    },
    {
      what: 'human head, voxels where the warp or its inverse folds',
      value: trips.folds,
      unit: '',
      bound: { atMost: 0 },
    },
    {
      what: 'fsl_reg to 1 mm, two threads, wall time',
      value: registration.seconds,
      unit: 's',
      bound: { atMost: 125 },
      fsl: 125,
    },
    {
      what: 'fsl_reg to 1 mm, peak memory',
      value: registration.peakMb,
      unit: 'MB',
      bound: { atMost: 3072 },
    },
  ];
}

/** Root mean square length in mm of a displacement field's vectors inside a mask. */
function rmsLength(field: Image, mask: Float32Array): number {
  const n = mask.length;
  let [squares, count] = [0, 0];
  for (let o = 0; o < n; o++) {
    if (!(mask[o] > 0)) continue;
    count++;
    for (let c = 0; c < 3; c++) squares += field.data[c * n + o] ** 2;
  }
  return Math.sqrt(squares / count);
}

/** Inverse of the warp that `fsl_reg` made of `name`, and what is left of a point's way there and back. */
async function roundTrips({ folder, run }: Laboratory, warp: string, input: string, template: string) {
  const field = (name: string) => readImage(join(folder, `${name}.nii.gz`));
  await run('invwarp', '-w', warp, '-r', input, '-o', 'inverse');
  await run('convertwarp', '-r', input, '--warp2=inverse', `--warp1=${warp}`, '-o', 'from_input');
  await run('convertwarp', '-r', template, `--warp2=${warp}`, '--warp1=inverse', '-o', 'from_template');
  await run('convertwarp', '-r', template, `--warp1=${warp}`, '-o', 'same', '-j', 'jacobian');
  await run('convertwarp', '-r', input, '--warp1=inverse', '-o', 'same', '-j', 'inverse_jacobian');
  let folds = 0;
  for (const name of ['jacobian', 'inverse_jacobian'])
    for (const value of (await field(name)).data) if (!(value > 0)) folds++;
  return { fromInput: await field('from_input'), fromTemplate: await field('from_template'), folds };
}

export const registration: Group = {
  name: 'registration',
  title: 'Registration to a template',
  method: `\`fsl_reg -FA\` three times. (1) FMRIB58_FA_1mm bent by a smooth random warp (knots of 36 mm, about 2.5 mm) and a random affine of about 4 % of size, sampled at
2 mm with noise of ${FA_NOISE}: correlation with the template where the template is above zero; FSL's figure is of a like copy. (2) A simulated subject of 2 mm, FA of its true tensor, onto the
phantom's FA: its voxels' true template coordinates are known; landmarks are all template voxels of FA above ${WHITE}. (3) One human head (shared/reference/canon, 3 mm; FA, MD and masks are
FSL's own, so that nothing but the registration differs) onto FMRIB58_FA_1mm, as FSL 5.0.9 did. How much stiffer coarse levels are was set on this one head and FSL's warp of it, so (3) shows agreement, not a test on new data. Mean MD per region of both sessions, the second through \`--premat\`, where the subject's mask has data;
regions that FSL covers by ${100 * COVERED} % or less lie at the mask's rim and are compared by coverage only. Inverses (\`invwarp\`) are on
the inputs' own grids. From the input to the template and back a point starts at a voxel of the inverse; the other way round the inverse is read between its voxels, where it is only as good as
linear interpolation on that grid (3 mm for the head, 2 mm for the simulated subject).`,
  async measure(laboratory) {
    const templatePath = join(laboratory.shared, 'standard/FMRIB58_FA_1mm.nii.gz');
    const template = await readImage(templatePath);
    return [
      ...(await copyFigures(laboratory, templatePath, template)),
      ...(await subjectFigures(laboratory)),
      ...(await headFigures(laboratory, templatePath, template)),
    ];
  },
};
