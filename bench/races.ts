/**
 * The races at the size of the published trial. FSL cannot be installed here; its times are those of FSL 5.0.9 on such a
 * scan (shared/FSL.md), scaled by how fast this machine runs dipy's fit, which took 14.3 s + 1.6 s there.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { voxelCount } from '../imaging/image.ts';
import { readImage, writeImage } from '../imaging/nifti.ts';
import { median } from '../test/accuracy/measures.ts';
import { runTool } from '../test/accuracy/run-tool.ts';
import { fullScan, type Scan } from '../test/accuracy/scan.ts';
import { commands, python } from './peer.ts';
import type { Growth, Race } from './race.ts';

const execute = promisify(execFile);
const DIPY_ON_FSLS_MACHINE = 15.9;
/** Seconds of FSL 5.0.9. */
const FSL = { dtifit: 3.7, mcflirt: 11.6, topup: 870, fsl_reg: 125 };

export interface Track {
  readonly folder: string;
  readonly shared: string;
  say(message: string): void;
}

/** Paths of a series and its gradients. */
interface Series {
  readonly dwi: string;
  readonly bvals: string;
  readonly bvecs: string;
}

/** dipy takes a quarter of a minute for each volume: so many must do. */
const DIPY_VOLUMES = 8;

/** Runs ours and a peer in turn, so that both meet the same machine. */
async function inTurn(
  times: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number | undefined>,
): Promise<{ ours: number[]; theirs: number[] }> {
  const out = { ours: [] as number[], theirs: [] as number[] };
  for (let i = 0; i < times; i++) {
    out.ours.push(await ours());
    const seconds = await theirs();
    if (seconds !== undefined) out.theirs.push(seconds);
  }
  return out;
}

export async function races({ folder, shared, say }: Track): Promise<{ races: Race[]; growth: Growth[] }> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const out: Race[] = [];
  const growth: Growth[] = [];
  let peakMb = 0;
  const tool = async (name: string, ...argv: string[]) => {
    const run = await runTool(folder, name, argv);
    peakMb = run.peakMb;
    return run.seconds;
  };

  say('simulating the scan');
  const scan = await fullScan(join(folder, 'scan'), {}, 1);
  const ap = await firstVolumes(folder, scan, scan.session.ap.image.volumes);

  say('tensors');
  const dtifit = (...more: string[]) =>
    tool(
      'dtifit',
      '-k',
      ap.dwi,
      '-m',
      scan.mask,
      '-r',
      ap.bvecs,
      '-b',
      ap.bvals,
      '-o',
      'dti',
      '--wls',
      ...more,
    );
  const dipy = await inTurn(3, dtifit, () =>
    python('dipy', 'dipy-wls', ap.dwi, ap.bvals, ap.bvecs, scan.mask, join(folder, 'dipy')),
  );
  /** How much slower this machine is than the one FSL was timed on. */
  const slowness = dipy.theirs.length > 0 ? median(dipy.theirs) / DIPY_ON_FSLS_MACHINE : 1;
  const fsl = (name: keyof typeof FSL) => [FSL[name] * slowness];
  out.push(
    { what: 'dtifit --wls, 34 volumes', peer: 'dipy WLS', ...dipy, promise: { ratio: 10 }, peakMb },
    {
      what: 'dtifit --wls, 34 volumes',
      peer: 'FSL 5.0.9, scaled',
      ours: dipy.ours,
      theirs: fsl('dtifit'),
      promise: { ratio: 1 },
    },
  );
  const mrtrix = await inTurn(3, dtifit, () =>
    commands(folder, [
      [
        'dwi2tensor',
        ap.dwi,
        'mrtrix.mif',
        '-mask',
        scan.mask,
        '-fslgrad',
        ap.bvecs,
        ap.bvals,
        '-force',
        '-quiet',
      ],
      [
        'tensor2metric',
        'mrtrix.mif',
        '-fa',
        'mrtrix_fa.nii.gz',
        '-adc',
        'mrtrix_md.nii.gz',
        '-force',
        '-quiet',
      ],
    ]),
  );
  out.push({ what: 'dtifit --wls, 34 volumes', peer: 'MRtrix3 dwi2tensor (FA and MD only)', ...mrtrix });

  say('motion');
  const mcflirt = (input: string) =>
    tool('mcflirt', '-in', input, '-refvol', '0', '-out', 'mc', '-cost', 'mutualinfo', '-mats', '-plots');
  const whole = await mcflirt(ap.dwi);
  out.push({
    what: 'mcflirt, 34 volumes',
    peer: 'FSL 5.0.9, scaled',
    ours: [whole],
    theirs: fsl('mcflirt'),
    promise: { ratio: 1 },
    peakMb,
  });
  const few = await firstVolumes(folder, scan, DIPY_VOLUMES);
  const motion = await inTurn(
    1,
    () => mcflirt(few.dwi),
    () => python('dipy', 'dipy-motion', few.dwi, few.bvals, few.bvecs, join(folder, 'dipy_mc.nii.gz')),
  );
  out.push({ what: `mcflirt, ${DIPY_VOLUMES} volumes`, peer: 'dipy motion_correction', ...motion });

  say('distortion');
  const topup = await tool(
    'topup',
    `--imain=${scan.b0s}`,
    `--datain=${scan.b0Acqparams}`,
    '--config=b02b0.cnf',
    '--out=topup',
    '--iout=b0s_unwarped',
  );
  out.push({
    what: 'topup, 8 b0s',
    peer: 'FSL 5.0.9, scaled',
    ours: [topup],
    theirs: fsl('topup'),
    promise: { seconds: 90 },
    peakMb,
  });
  const eddyOf = (...more: string[]) =>
    tool(
      'eddy',
      `--imain=${scan.dwi}`,
      `--mask=${scan.mask}`,
      `--acqp=${scan.acqparams}`,
      `--index=${scan.index}`,
      `--bvecs=${scan.bvecs}`,
      `--bvals=${scan.bvals}`,
      '--topup=topup',
      '--out=eddy',
      '--repol',
      ...more,
    );
  const eddy = await eddyOf();
  out.push({
    what: 'eddy, 68 volumes',
    peer: 'none',
    ours: [eddy],
    theirs: [],
    promise: { seconds: 360 },
    peakMb,
  });

  say('registration');
  await tool(
    'dtifit',
    '-k',
    'eddy.nii.gz',
    '-m',
    scan.mask,
    '-r',
    'eddy.eddy_rotated_bvecs',
    '-b',
    scan.bvals,
    '-o',
    'corrected',
    '--wls',
  );
  const template = join(shared, 'standard', 'FMRIB58_FA_1mm.nii.gz');
  const moving = join(folder, 'corrected_FA.nii.gz');
  const fslReg = () => tool('fsl_reg', moving, template, 'registered', '-FA');
  const parameters = ['affine', 'bspline'].map((kind) => resolve(`bench/elastix_${kind}.txt`));
  await mkdir(join(folder, 'elastix'), { recursive: true });
  const elastix = await inTurn(1, fslReg, () =>
    commands(folder, [
      [
        'elastix',
        '-f',
        template,
        '-m',
        moving,
        '-out',
        'elastix',
        ...parameters.flatMap((file) => ['-p', file]),
        '-threads',
        '2',
      ],
    ]),
  );
  out.push(
    {
      what: 'fsl_reg -FA to 1 mm',
      peer: 'FSL 5.0.9, scaled',
      ours: elastix.ours,
      theirs: fsl('fsl_reg'),
      promise: { ratio: 1 },
      peakMb,
    },
    { what: 'fsl_reg -FA to 1 mm', peer: 'elastix, affine + B-spline', ...elastix },
  );
  const ants = await python('ants', 'ants', moving, template, join(folder, 'ants.nii.gz'));
  out.push({
    what: 'fsl_reg -FA to 1 mm',
    peer: 'ANTs SyN',
    ours: elastix.ours,
    theirs: ants === undefined ? [] : [ants],
  });

  say('one subject, both sessions');
  out.push(await subject(folder));

  say('growth');
  growth.push({
    what: 'dtifit, threads',
    points: [
      { at: '1', seconds: await dtifit('--nthr=1') },
      { at: '2', seconds: await dtifit('--nthr=2') },
    ],
  });
  growth.push({
    what: 'eddy, threads',
    points: [
      { at: '1', seconds: await eddyOf('--nthr=1') },
      { at: '2', seconds: await eddyOf('--nthr=2') },
    ],
  });
  growth.push({ what: 'dtifit, volumes', points: await byVolumes(folder, scan, tool) });
  growth.push({ what: 'dtifit, voxels in the mask', points: await byVoxels(folder, scan, ap, tool) });
  return { races: out, growth };
}

type Tool = (name: string, ...argv: string[]) => Promise<number>;

/** The first volumes of the AP set as a series of their own. */
async function firstVolumes(folder: string, scan: Scan, volumes: number): Promise<Series> {
  const { image, gradients } = scan.session.ap;
  const n = voxelCount(image.grid);
  const at = (name: string) => join(folder, `first_${volumes}${name}`);
  await writeImage(at('.nii.gz'), { ...image, volumes, data: image.data.subarray(0, n * volumes) });
  await writeFile(at('.bval'), `${[...gradients.bvals.subarray(0, volumes)].join(' ')}\n`);
  const axis = (c: number) => Array.from({ length: volumes }, (_, t) => gradients.bvecs[3 * t + c]).join(' ');
  await writeFile(at('.bvec'), `${[0, 1, 2].map(axis).join('\n')}\n`);
  return { dwi: at('.nii.gz'), bvals: at('.bval'), bvecs: at('.bvec') };
}

async function byVolumes(folder: string, scan: Scan, tool: Tool): Promise<Growth['points']> {
  const points: { at: string; seconds: number }[] = [];
  for (const volumes of [9, 17, 34]) {
    const { dwi, bvals, bvecs } = await firstVolumes(folder, scan, volumes);
    points.push({
      at: String(volumes),
      seconds: await tool(
        'dtifit',
        '-k',
        dwi,
        '-m',
        scan.mask,
        '-r',
        bvecs,
        '-b',
        bvals,
        '-o',
        'grown',
        '--wls',
      ),
    });
  }
  return points;
}

async function byVoxels(folder: string, scan: Scan, ap: Series, tool: Tool): Promise<Growth['points']> {
  const mask = await readImage(scan.mask);
  const points: { at: string; seconds: number }[] = [];
  for (const every of [4, 2, 1]) {
    let count = 0;
    const data = mask.data.map((value, o) => (value > 0 && o % every === 0 ? 1 : 0));
    for (const value of data) count += value;
    const file = join(folder, `mask_${every}.nii.gz`);
    await writeImage(file, { ...mask, data }, { type: 'uint8' });
    points.push({
      at: String(count),
      seconds: await tool(
        'dtifit',
        '-k',
        ap.dwi,
        '-m',
        file,
        '-r',
        ap.bvecs,
        '-b',
        ap.bvals,
        '-o',
        'grown',
        '--wls',
      ),
    });
  }
  return points;
}

/** A full-size subject through the whole pipeline. */
async function subject(folder: string): Promise<Race> {
  const cli = resolve('dist/cli/main.js');
  const trial = join(folder, 'trial');
  const words =
    '--vehicle 1 --ketamine 1 --voxel-size 2 --directions 30 --b0s 4 --snr 20 --motion 1.6 --eddy-currents 1.6 --susceptibility 3';
  await execute(process.execPath, [cli, 'simulate', trial, ...words.split(' ')], { maxBuffer: 1e9 });
  const started = performance.now();
  await execute(process.execPath, [cli, 'run', join(trial, 'study.yaml'), '--participant-label', '01'], {
    maxBuffer: 1e9,
  });
  return {
    what: 'one subject, both sessions, all steps',
    peer: 'none',
    ours: [(performance.now() - started) / 1000],
    theirs: [],
    promise: { seconds: 1200 },
  };
}
