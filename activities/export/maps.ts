/** Stacks of maps in template space for voxel-wise statistics in FSL and SPM, with their design. */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Study } from '../../config/study.ts';
import { type Grid, sameGrid, voxelCount } from '../../imaging/image.ts';
import { readGrid, readImage, writeImage } from '../../imaging/nifti.ts';
import { writeStack } from '../../imaging/nifti-stack.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { changeOutput, sessionOutputs } from '../outputs.ts';
import { conText, type Design, matText } from './design.ts';
import type { Exported } from './types.ts';

/** The maps of one quantity, one of each subject. */
interface Quantity {
  readonly name: string;
  readonly description: string;
  readonly sources: readonly string[];
}

const mdName = (label: string | null) => (label === null ? 'md' : `md_ses-${label}`);

/** Names of the stacks of a study, the one to test first. */
export function quantityNames({ sessions }: Study): string[] {
  return [...(sessions.length > 1 ? ['dmd'] : []), ...sessions.map(({ label }) => mdName(label))];
}

function quantities(study: Study, subjects: readonly string[]): Quantity[] {
  return quantityNames(study).map((name) => {
    const session = study.sessions.find(({ label }) => mdName(label) === name);
    if (!session)
      return {
        name,
        description: 'Change, MD(baseline) - MD(follow-up) (mm^2/s)',
        sources: subjects.map((subject) => changeOutput(study, subject)),
      };
    const { label } = session;
    return {
      name,
      description: `Mean diffusivity${label === null ? '' : ` of session ${label}`} (mm^2/s)`,
      sources: subjects.map((subject) => sessionOutputs(study, subject, label).mdInTemplate),
    };
  });
}

/** Voxels of one map. @throws DeltaMdError INPUT_CONTRADICTS on another grid than the template's */
async function voxelsOf(path: string, grid: Grid): Promise<Float32Array> {
  const image = await readImage(path);
  if (image.volumes !== 1 || !sameGrid(image.grid, grid))
    throw new DeltaMdError('INPUT_CONTRADICTS', `${path} is not on the grid of the template`, {
      remedy: 'It was made with another template; make it again: delta-md run',
    });
  return image.data;
}

/** Voxels that hold data in every session of every subject. */
async function commonMask(
  study: Study,
  subjects: readonly string[],
  grid: Grid,
): Promise<{ data: Float32Array; sources: string[] }> {
  const data = new Float32Array(voxelCount(grid)).fill(1);
  const sources = subjects.flatMap((subject) =>
    study.sessions.map(({ label }) => sessionOutputs(study, subject, label).maskInTemplate),
  );
  for (const source of sources) {
    const mask = await voxelsOf(source, grid);
    for (let i = 0; i < data.length; i++) if (!(mask[i] > 0)) data[i] = 0;
  }
  return { data, sources };
}

/**
 * Writes a stack per quantity, the mask common to all, design files, and the order of subjects.
 * @param spm also each map as an uncompressed 3-D file, with lists of them: SPM reads no gzip
 * @param folder exists  @returns what was written, paths below `folder`
 */
export async function exportMaps(
  study: Study,
  subjects: readonly string[],
  design: Design,
  folder: string,
  spm: boolean,
): Promise<Exported[]> {
  const { grid } = await readGrid(study.template);
  const written: Exported[] = [];
  const put = async (path: string, description: string, text: string) => {
    await writeFile(join(folder, path), text);
    written.push({ path, description, sources: [] });
  };
  await put('subjects.txt', 'Subjects, in the order of the volumes', `${subjects.join('\n')}\n`);
  for (const { name, description, sources } of quantities(study, subjects)) {
    const lines: string[] = [];
    async function* volumes() {
      for (const [i, source] of sources.entries()) {
        const data = await voxelsOf(source, grid);
        if (spm) {
          const path = `spm/${name}/${subjects[i]}_${name}.nii`;
          await mkdir(join(folder, 'spm', name), { recursive: true });
          await writeImage(join(folder, path), { grid, volumes: 1, data });
          written.push({ path, description: `${description}, ${subjects[i]}`, sources: [source] });
          // From the list's own folder; ",1" is SPM's way to name a volume.
          lines.push(`${name}/${basename(path)},1`);
        }
        yield data;
      }
    }
    await writeStack(join(folder, `${name}.nii.gz`), grid, subjects.length, volumes());
    written.push({ path: `${name}.nii.gz`, description: `${description}, one volume per subject`, sources });
    if (spm)
      await put(`spm/${name}.txt`, `Files of ${name} for SPM's file selector`, `${lines.join('\n')}\n`);
  }
  const mask = await commonMask(study, subjects, grid);
  await writeImage(join(folder, 'mask.nii.gz'), { grid, volumes: 1, data: mask.data }, { type: 'uint8' });
  written.push({
    path: 'mask.nii.gz',
    description: 'Voxels with data in every session of every subject',
    sources: mask.sources,
  });
  const names = design.columns.map(({ name }) => name).join(', ');
  await put('design.mat', `Design matrix for randomise; columns: ${names}`, matText(design));
  const contrasts = design.contrasts.map(({ name }) => name).join(', ');
  await put('design.con', `Contrasts for randomise: ${contrasts}`, conText(design));
  return written;
}
