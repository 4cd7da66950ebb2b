/** Markdown as the Temporal UI shows it, under Current Details. */

/** The UI's style sheet gives cells no room: a wide space keeps them apart, and survives where plain ones are cut. */
const APART = '\u2003';

/** A table; what a cell holds of Markdown's own signs is shown as it is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|') + APART).join(' | ')} |`;
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
