/** The way of the subjects, from the folder to the analysis, as trials report it (CONSORT; Schulz et al. 2010). */
import { FAILURES } from '../../pipeline/failures.ts';
import type { CohortAnalysis, SubjectRow } from '../../statistics/plan.ts';
import { type Html, html } from './markup.ts';
import type { CohortRow } from './types.ts';

/** A box of the diagram: what it says, and the reasons behind it. */
export interface FlowBox {
  readonly title: string;
  readonly reasons: readonly string[];
}

/** Boxes from top to bottom. */
export interface Flow {
  readonly found: FlowBox;
  /** Beside the way: excluded, then failed; those that did not happen are absent. */
  readonly lost: readonly FlowBox[];
  readonly processed: FlowBox;
  /** Beside the way after processing; absent where every subject processed was analysed. */
  readonly notAnalysed?: FlowBox;
  /** Per group; empty where no groups were compared. */
  readonly analysed: readonly FlowBox[];
}

/** Reasons told one by one; the others are counted. */
const MOST_REASONS = 5;

/** Counts the subjects at every stage. */
export function subjectFlow(
  cohort: readonly CohortRow[],
  analysis?: CohortAnalysis,
  table: readonly SubjectRow[] = [],
): Flow {
  const of = (status: CohortRow['status']) => cohort.filter((row) => row.status === status);
  const [excluded, failed, done] = [of('excluded'), of('failed'), of('done')];
  const box = (what: string, n: number, reasons: readonly string[]) => ({
    title: `${what} (n = ${n})`,
    reasons: tally(reasons),
  });
  const notAnalysed = analysis?.leftOut ?? [];
  return {
    found: box('Found in the BIDS folder', cohort.length, []),
    lost: [
      ...(excluded.length > 0 ? [box('Excluded', excluded.length, excluded.map(reasonOf))] : []),
      ...(failed.length > 0 ? [box('Failed', failed.length, failed.map(reasonOf))] : []),
    ],
    processed: box('Processed', done.length, []),
    ...(notAnalysed.length > 0
      ? {
          notAnalysed: box(
            'Not analysed',
            notAnalysed.length,
            notAnalysed.map(({ why }) => why),
          ),
        }
      : {}),
    analysed: analysis === undefined ? [] : groupBoxes(analysis, table),
  };
}

/** Failures by what their code means: their messages name files and differ from subject to subject. */
function reasonOf({ why = 'no reason given', status }: CohortRow): string {
  const code = /^[A-Z_]+(?=[: ])/.exec(why)?.[0];
  if (status !== 'failed' || code === undefined) return why;
  return Object.hasOwn(FAILURES, code) ? FAILURES[code as keyof typeof FAILURES].title : code;
}

/** `no 24 h session (n = 2)`, the most frequent first. */
function tally(reasons: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const told = sorted.slice(0, MOST_REASONS).map(([reason, n]) => `${reason} (n = ${n})`);
  const rest = sorted.slice(MOST_REASONS).reduce((sum, [, n]) => sum + n, 0);
  return rest === 0 ? told : [...told, `other reasons (n = ${rest})`];
}

/** Analysed per group, and whom single tests had to do without: each subject counted once per reason. */
function groupBoxes(analysis: CohortAnalysis, table: readonly SubjectRow[]): FlowBox[] {
  const { plan, outcomeTests, changeTests, regressions } = analysis;
  const groupOf = new Map(table.map((row) => [row.subject, row.group]));
  return (['reference', 'treatment'] as const).map((which) => {
    const group = plan.groups[which];
    const without = new Map<string, Set<string>>();
    // A model that lacks a score and a region says both; each is told by the test of it alone.
    for (const cell of [...outcomeTests, ...changeTests, ...regressions])
      for (const { subject, why } of cell.leftOut)
        if (groupOf.get(subject) === group)
          for (const part of why.split(', no ').map((text) => text.replace(/^no /, '')))
            without.set(part, (without.get(part) ?? new Set()).add(subject));
    const n = analysis.n[which];
    return {
      title: `${group}: analysed (n = ${n})`,
      reasons: [...without]
        .sort(([, a], [, b]) => b.size - a.size)
        .slice(0, MOST_REASONS)
        .map(([what, subjects]) => `without ${what}: ${subjects.size} (its tests: n = ${n - subjects.size})`),
    };
  });
}

const [BOX, GAP, ARROW, LINE, PAD] = [320, 56, 30, 17, 11];
/** Characters that fit a line of a box: on the safe side for the widest usual fonts. */
const WIDTH = 42;

interface Placed extends FlowBox {
  readonly x: number;
  readonly y: number;
  readonly height: number;
  readonly lines: readonly string[];
}

function place(box: FlowBox, x: number, y: number): Placed {
  const lines = box.reasons.flatMap((reason) => wrap(`• ${reason}`, WIDTH));
  return { ...box, x, y, lines, height: 2 * PAD + LINE * (1 + lines.length) };
}

/** Breaks between words, and inside those longer than a line. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((w) => w.match(new RegExp(`.{1,${width - 2}}`, 'gu')) ?? []))
    if (line === '' || line.length + 1 + word.length <= width) line += line === '' ? word : ` ${word}`;
    else {
      lines.push(line);
      line = `\u00a0\u00a0${word}`;
    }
  return [...lines, line];
}

/** The diagram as an SVG, and the same in words for those who cannot see it. */
export function flowDiagram(flow: Flow): Html {
  const right = BOX + GAP;
  const boxes: Placed[] = [];
  const arrows: string[] = [];
  /** Along `way` to a point, where its head is. */
  const across = (y: number) => arrows.push(`M${centre},${y}H${right}m-8,-4l8,4l-8,4`);
  const downTo = (way: string, y: number) => arrows.push(`${way}V${y}m-4,-8l4,8l4,-8`);
  const add = (box: Placed) => {
    boxes.push(box);
    return box;
  };
  const centre = BOX / 2;
  let last = add(place(flow.found, 0, 1));
  /** Boxes beside the way down from `last`; where the way goes on. */
  const aside = (side: readonly FlowBox[]): number => {
    let y = last.y + last.height + (side.length > 0 ? ARROW / 2 : ARROW);
    for (const box of side) {
      const placed = add(place(box, right, y));
      across(placed.y + placed.height / 2);
      y += placed.height + ARROW / 2;
    }
    return y;
  };
  const down = (box: FlowBox, y: number) => {
    const from = last.y + last.height;
    last = add(place(box, 0, y));
    downTo(`M${centre},${from}`, y);
  };
  down(flow.processed, aside(flow.lost));
  if (flow.analysed.length > 0) {
    const y = aside(flow.notAnalysed ? [flow.notAnalysed] : []);
    const from = last.y + last.height;
    const top = flow.notAnalysed ? y + ARROW / 2 : y;
    const fork = top - ARROW / 2;
    for (const [i, box] of flow.analysed.entries()) {
      const placed = add(place(box, i * right, top));
      downTo(i === 0 ? `M${centre},${from}` : `M${centre},${fork}H${placed.x + centre}`, top);
    }
  }
  const width = right + BOX;
  const height = Math.max(...boxes.map((box) => box.y + box.height)) + 1;
  const text = ({ x, y, title, lines }: Placed) =>
    html`<text x="${x + PAD}" y="${y + PAD + 12}"><tspan class="flow-title">${title}</tspan>${lines.map(
      (line) => html`<tspan x="${x + PAD}" dy="${LINE}">${line}</tspan>`,
    )}</text>`;
  return html`<figure class="flow"><svg aria-hidden="true" focusable="false" viewBox="-1 0 ${width + 2} ${height}" width="${width + 2}" height="${height}">
${arrows.map((d) => html`<path class="flow-line" d="${d}"/>`)}
${boxes.map((box) => html`<rect x="${box.x}" y="${box.y}" width="${BOX}" height="${box.height}" rx="4"/>${text(box)}\n`)}</svg>
<figcaption class="unseen">${inWords(flow)}</figcaption></figure>`;
}

function inWords({ found, lost, processed, notAnalysed, analysed }: Flow): Html {
  const all = [found, ...lost, processed, ...(notAnalysed ? [notAnalysed] : []), ...analysed];
  return html`Flow of subjects<ul>${all.map(
    ({ title, reasons }) => html`<li>${title}${reasons.length > 0 && `: ${reasons.join('; ')}`}</li>`,
  )}</ul>`;
}
