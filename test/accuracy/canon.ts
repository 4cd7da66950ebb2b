/** The real head in two sessions, through the whole pipeline, beside FSL's own results. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readTable } from '../../config/tables.ts';
import type { Matrix4 } from '../../imaging/affine.ts';
import { readImage } from '../../imaging/nifti.ts';
import { ROI_NAMES, realStudy } from '../real/studies.ts';
import type { Figure, Group } from './figure.ts';
import { correlation, median, rmsDisplacement } from './measures.ts';

const run = promisify(execFile);
const SPACE = 'space-FMRIB58FA1mm';

async function readMatrix(path: string): Promise<Matrix4> {
  return Float64Array.from((await readFile(path, 'utf8')).trim().split(/\s+/), Number);
}

export const canon: Group = {
  name: 'canon',
  title: 'One real head, two sessions, the whole pipeline',
  method: `shared/data/canon (3 mm, one b0 and 12 volumes of b = 1500 per phase encoding) goes from \`delta-md run\` to regional MD, everything by the
toolkit. FSL 5.0.9 and eddy 5.0.8 did the same (shared/reference/canon). Regions: mean MD in template space where the subject's mask has data; those that FSL covers by
80 % or less lie at the mask's rim and are compared by coverage only. White matter: FA above 0.35 in template space.`,
  async measure({ folder, shared, say }) {
    await run(
      process.execPath,
      [join(process.cwd(), 'dist/cli/main.js'), 'run', await realStudy('canon', folder)],
      {
        maxBuffer: 1e9,
      },
    );
    say('measuring');
    const reference = join(shared, 'reference', 'canon');
    const subject = join(folder, 'results', 'sub-01');
    const ours = (session: string, name: string) =>
      readImage(join(subject, `ses-${session}`, 'dwi', `sub-01_ses-${session}_${name}`));
    const fsl = (name: string) => readImage(join(reference, name));
    const figures: Figure[] = [];

    const template = await readImage(join(shared, 'standard', 'FMRIB58_FA_1mm.nii.gz'));
    const faTemplate = await ours('1', `${SPACE}_model-tensor_param-fa_dwimap.nii.gz`);
    const fslFa = await fsl('ses-1_FA_template.nii.gz');
    figures.push(
      {
        what: "FA in template space, correlation with FSL's",
        value: correlation(faTemplate.data, fslFa.data, template.data),
        unit: '',
        bound: { atLeast: 0.93 },
      },
      {
        what: 'FA in template space, correlation with FMRIB58',
        value: correlation(faTemplate.data, template.data, template.data),
        unit: '',
        bound: { atLeast: 0.9 },
        fsl: correlation(fslFa.data, template.data, template.data),
      },
    );

    for (const session of ['1', '2']) {
      const md = await ours(session, `${SPACE}_model-tensor_param-md_dwimap.nii.gz`);
      const fslMd = await fsl(`ses-${session}_MD_template.nii.gz`);
      const white = (map: Float32Array, fa: Float32Array) =>
        median(map.filter((value, i) => fa[i] > 0.35 && value > 0));
      const [here, there] = [white(md.data, faTemplate.data), white(fslMd.data, fslFa.data)];
      figures.push({
        what: `session ${session}: median MD of white matter, difference from FSL's`,
        value: 100 * Math.abs(here / there - 1),
        unit: '%',
        bound: { atMost: 1 },
      });
    }

    const mask = await fsl('ses-2_bet_mask.nii.gz');
    figures.push({
      what: "session 2 to 1, distance from FSL's transform, RMS in the brain",
      value: rmsDisplacement(
        await readMatrix(join(subject, 'ses-2/dwi/sub-01_ses-2_from-dwi_to-baseline_mode-image_xfm.mat')),
        await readMatrix(join(reference, 'ses-2_to_ses-1.mat')),
        mask.data,
        mask.grid,
      ),
      unit: 'mm',
      bound: { atMost: 0.5 },
    });

    const { table: theirs } = await readTable(join(reference, 'roi_md.tsv'));
    const { table: here } = await readTable(join(folder, 'results', 'group_roi_md.tsv'));
    for (const roi of ROI_NAMES)
      for (const session of ['1', '2']) {
        const cells =
          theirs.rows.find((row) => row.cells['session'] === session && row.cells['roi'] === roi)?.cells ??
          {};
        const mine =
          here.rows.find((row) => row.cells['session'] === `ses-${session}` && row.cells['roi'] === roi)
            ?.cells ?? {};
        const coverage = Number(cells['coverage']);
        if (coverage > 0.8)
          figures.push({
            what: `session ${session}: MD of ${roi}, difference from FSL's`,
            value: 100 * Math.abs(Number(mine['md']) / Number(cells['mean_md']) - 1),
            unit: '%',
            bound: { atMost: 1.5 },
          });
        figures.push({
          what: `session ${session}: coverage of ${roi}, difference from FSL's ${(100 * coverage).toFixed(0)} %`,
          value: 100 * Math.abs(Number(mine['coverage']) - coverage),
          unit: 'points',
          bound: { atMost: 5 },
        });
      }
    return figures;
  },
};
