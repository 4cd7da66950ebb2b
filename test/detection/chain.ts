/** The toolkit's own chain on a simulated scan, from raw sets to the maps that quality control reads. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionMaps } from '../../pipeline/protocol.ts';
import { runTool } from '../accuracy/run-tool.ts';

const file = (folder: string, name: string) => ({ path: join(folder, name), sha256: '' });

export async function topup(folder: string): Promise<void> {
  await runTool(folder, 'topup', [
    '--imain=b0s.nii.gz',
    '--datain=b0_acqparams.txt',
    '--config=b02b0.cnf',
    '--out=topup',
    '--fout=field_hz',
    '--iout=unwarped',
  ]);
}

/** Brain mask of the mean of a series. */
export async function brainOf(folder: string, series: string): Promise<void> {
  await runTool(folder, 'fslmaths', [series, '-Tmean', 'mean']);
  await runTool(folder, 'bet', ['mean', 'b0_brain', '-m', '-f', '0.3']);
}

/** Fits the tensor with a table. */
export async function tensor(folder: string, bvecs: string): Promise<void> {
  const data = ['-k', 'eddy', '-m', 'b0_brain_mask', '-r', bvecs, '-b', 'bvals', '-o', 'dti', '--wls'];
  await runTool(folder, 'dtifit', data);
}

/** All of a session whose files `writeScan` has put into a folder. */
export async function processScan(folder: string): Promise<SessionMaps> {
  await topup(folder);
  await brainOf(folder, 'unwarped');
  await runTool(folder, 'eddy', [
    '--imain=dwi.nii.gz',
    '--mask=b0_brain_mask',
    '--acqp=acqparams.txt',
    '--index=index.txt',
    '--bvecs=bvecs',
    '--bvals=bvals',
    '--topup=topup',
    '--out=eddy',
  ]);
  await tensor(folder, 'eddy.eddy_rotated_bvecs');
  const at = (name: string) => file(folder, name);
  return {
    session: null,
    fa: at('dti_FA.nii.gz'),
    md: at('dti_MD.nii.gz'),
    v1: at('dti_V1.nii.gz'),
    s0: at('dti_S0.nii.gz'),
    mask: at('b0_brain_mask.nii.gz'),
    dwi: at('eddy.nii.gz'),
    bvals: at('bvals'),
    bvecs: at('eddy.eddy_rotated_bvecs'),
    movement: at('eddy.eddy_movement_rms'),
    parameters: at('eddy.eddy_parameters'),
    outlierReport: at('eddy.eddy_outlier_report'),
    rawDwi: at('dwi.nii.gz'),
    rawBvecs: at('bvecs'),
    acqparams: at('acqparams.txt'),
    index: at('index.txt'),
    acqparamsB0: at('b0_acqparams.txt'),
    b0s: at('b0s.nii.gz'),
    unwarped: at('unwarped.nii.gz'),
    fieldHz: at('field_hz.nii.gz'),
    notes: [],
  };
}

/** Tells topup something else of the b0s' phase encodings: a row per b0. */
export async function retellB0s(folder: string, tell: (row: string, b0: number) => string): Promise<void> {
  const path = join(folder, 'b0_acqparams.txt');
  const rows = (await readFile(path, 'utf8')).trim().split('\n');
  await writeFile(path, `${rows.map(tell).join('\n')}\n`);
}
