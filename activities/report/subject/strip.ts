/** A cohort's values on a line, with one subject's place among them. */
import * as format from '../format.ts';
import { type Html, html } from '../markup.ts';

const WIDTH = 110;
const HEIGHT = 16;
const EDGE = 5;

/**
 * One stroke per value of the cohort, a dot for `own`, a dashed stroke for a limit that lies among them.
 * @param cohort values of all subjects, `own` among them
 */
export function strip(cohort: readonly number[], own: number, limit?: number): Html {
  const [low, high] = [Math.min(...cohort, own), Math.max(...cohort, own)];
  const x = (value: number) =>
    (high > low ? EDGE + ((value - low) / (high - low)) * (WIDTH - 2 * EDGE) : WIDTH / 2).toFixed(1);
  const mark = (value: number, name: string, y1: number) =>
    html`<line class="${name}" x1="${x(value)}" x2="${x(value)}" y1="${y1}" y2="${HEIGHT - y1}"/>`;
  return html`<svg class="strip" role="img" aria-label="${placeOf(cohort, own)}" width="${WIDTH}" height="${HEIGHT}"><line class="axis" x1="0" x2="${WIDTH}" y1="8" y2="8"/>${cohort.map((value) => mark(value, 'one', 4))}${
    limit !== undefined && limit >= low && limit <= high && mark(limit, 'limit', 0)
  }<circle cx="${x(own)}" cy="8" r="4"/></svg>`;
}

/** `12th lowest of 98`, counted from the smallest; equal values share the lowest place. */
export function placeOf(cohort: readonly number[], own: number): string {
  const rank = cohort.filter((value) => value < own).length + 1;
  return `${ordinal(rank)} lowest of ${format.count(cohort.length, 'value')}`;
}

function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
}
