/** docs/validation.md from the figures. */
import { type Figure, type Group, keeps } from './figure.ts';

const number = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(4)).toString() : 'none');

function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { what, value, unit, bound, fsl } = figure;
    const limit = 'atLeast' in bound ? `≥ ${number(bound.atLeast)}` : `≤ ${number(bound.atMost)}`;
    const cells = [
      what,
      `${number(value)} ${unit}`.trim(),
      limit,
      fsl === undefined ? '' : number(fsl),
      keeps(figure) ? 'pass' : '**short**',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| figure | measured | bound | FSL | |', '|---|---|---|---|---|', ...rows].join('\n');
}

export function validationPage(results: readonly { group: Group; figures: readonly Figure[] }[]): string {
  const all = results.flatMap(({ figures }) => figures);
  const kept = all.filter(keeps).length;
  return `# How right the built-in toolkit is

Written by \`npm run accuracy -- --write\`; not by hand. ${kept} of ${all.length} figures keep their bounds.

${results.map(({ group, figures }) => `## ${group.title}\n\n${group.method}\n\n${tableOf(figures)}\n`).join('\n')}`;
}
