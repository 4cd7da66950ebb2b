/** The real scans beside the repository (../shared), as studies. Nothing of them is copied into the repository. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SHARED = fileURLToPath(new URL('../../../shared', import.meta.url));
export const hasRealData = existsSync(join(SHARED, 'data', 'canon'));
export const REFERENCE = join(SHARED, 'reference');
export const TEMPLATE = join(SHARED, 'standard', 'FMRIB58_FA_1mm.nii.gz');
export const ROI_IMAGE = join(SHARED, 'standard', 'rois_1mm.nii.gz');
export const ROI_NAMES = ['lBA10', 'rBA10', 'lAmygdala', 'rAmygdala', 'lHippocampus', 'rHippocampus', 'vACC'];

export type RealName = 'canon' | 'philips' | 'philips-32dir';

/** What the scans' sidecars leave out: polarity by the names of the sets, readout where none is recorded. */
const KNOWN: Record<RealName, string> = {
  canon: `sessions: { baseline: "1", followup: "2" }
acquisition:
  AP: { phaseEncodingDirection: j-, totalReadoutTime: 0.05 }
  PA: { phaseEncodingDirection: j, totalReadoutTime: 0.05 }`,
  philips: `sessions: none
acquisition:
  A: { phaseEncodingDirection: j }
  P: { phaseEncodingDirection: j- }`,
  'philips-32dir': `sessions: none
acquisition:
  default: { phaseEncodingDirection: j, totalReadoutTime: 0.0263 }`,
};

/** The scans of a data set as they are. */
export const bidsOf = (name: RealName): string => join(SHARED, 'data', name);

/** Writes a study file for a data set; results go below `folder`. @returns its path */
export async function realStudy(name: RealName, folder: string, bids = bidsOf(name)): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'study.yaml');
  const labels = ROI_NAMES.map((roi, i) => `${i + 1}: ${roi}`).join(', ');
  await writeFile(
    file,
    `study: ${name}
bids: ${JSON.stringify(bids)}
output: ./results
work: ./work
${KNOWN[name]}
profile: toolkit
template: ${JSON.stringify(TEMPLATE)}
rois: { image: ${JSON.stringify(ROI_IMAGE)}, labels: { ${labels} }, minimumCoverage: 0.5 }
`,
  );
  return file;
}
