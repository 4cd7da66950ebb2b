/** Words for whoever opens an export. Pure. */
import type { Study } from '../../config/study.ts';
import type { ExportOptions } from './index.ts';
import { quantityNames } from './maps.ts';

const maps = (study: Study, spm: boolean) => `
## maps/

One volume per subject in template space, in the order of \`subjects.txt\`; MD in mm^2/s; zero where there are no data.
\`mask.nii.gz\` holds the voxels with data in every session of every subject. Voxel-wise test of the groups in FSL:

    randomise -i ${quantityNames(study)[0]}.nii.gz -o out -m mask.nii.gz -d design.mat -t design.con -n 5000 -T

\`design.mat\` has ${study.participants ? 'a mean per group' : 'the mean'}${study.participants ? `, ${study.participants.group.reference} first` : ''}; covariates are mean-free. \`design.con\` names its contrasts.
${spm ? "For SPM, which reads no gzip, `spm/` has every map as a file of its own and lists for its file selector, with paths from the lists' folder.\n" : ''}`;

const tables = `
## tables/

CSV, UTF-8, empty cells where a value is missing; \`codebook.csv\` says what every column is. \`read.R\` reads them into R,
\`read.sps\` into SPSS. In \`roi_wide.csv\` values of regions with too little data are empty, as in the statistics;
\`roi_md_long.csv\` has them, with \`flagged\`.
`;

const crate = `
## Provenance

\`ro-crate-metadata.json\` (RO-Crate 1.1) lists every file with its SHA-256. \`prov.jsonld\` (PROV-O) has every step from the
scans on: command, tool and its digest, host, times, files by content.
`;

/** Text of the export's README.md. */
export function readme(study: Study, subjects: number, { parts, spm }: ExportOptions): string {
  return [
    `# ${study.title ?? study.study}: results of ${subjects} subjects\n\nExported by delta-md.\n`,
    parts.maps ? maps(study, spm) : '',
    parts.tables ? tables : '',
    parts.crate ? crate : '',
  ].join('');
}
