/** docs/validation.md from the figures. */
import { type Figure, type Group, keeps, shown } from './figure.ts';

function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { what, value, unit, bound, fsl } = figure;
    const limit = 'atLeast' in bound ? `≥ ${shown(bound.atLeast)}` : `≤ ${shown(bound.atMost)}`;
    const cells = [
      what,
      `${shown(value)} ${unit}`.trim(),
      limit,
      fsl === undefined ? '' : shown(fsl),
      keeps(figure) ? 'pass' : '**short**',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| figure | measured | bound | FSL | |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** Pictures of the real scans, made by `npm run real`; what to look for in each. */
const PICTURES: readonly (readonly [file: string, caption: string])[] = [
  [
    'canon_distortion',
    'canon, session 1: b0 of AP and PA as acquired, and after topup. Both should show one head.',
  ],
  ['canon_fa', 'canon: FA on the template, with the regions. Tracts should lie where the template has them.'],
  ['canon_md', 'canon: MD on the template. Fluid bright, tissue even, no ringing at edges.'],
  ['philips_fa', 'philips (2 mm, one session): FA on the template.'],
  ['philips-32dir_fa', 'philips-32dir (one phase encoding, so no topup): FA on the template.'],
];

export function validationPage(
  results: readonly { group: Group; figures: readonly Figure[] }[],
  hasPicture: (file: string) => boolean,
): string {
  const all = results.flatMap(({ figures }) => figures);
  const kept = all.filter(keeps).length;
  const pictures = PICTURES.filter(([name]) => hasPicture(`${name}.png`));
  return `# How right the built-in toolkit is

Written by \`npm run accuracy -- --write\`; not by hand. ${kept} of ${all.length} figures keep their bounds; those that fall short say so.
Times are of the machine that wrote this page; [speed.md](speed.md) has the ratios to other tools.

${results.map(({ group, figures }) => `## ${group.title}\n\n${group.method}\n\n${tableOf(figures)}\n`).join('\n')}
## Real scans, by eye

${pictures.map(([name, caption]) => `${caption}\n\n![${caption}](images/validation/${name}.png)\n`).join('\n')}`;
}
