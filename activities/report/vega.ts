/** Figures as SVG text, without a browser. Vega loads at the first figure, since it is large. */
import type { Runtime } from 'vega';
import type { TopLevelSpec } from 'vega-lite';
import { COLOUR, FONT } from './style.ts';

/** The two groups, in the order of the legend. */
export interface Groups {
  readonly reference: string;
  readonly treatment: string;
}

/** Rows by the name under which a drawing asks for them. */
export type Data = Readonly<Record<string, readonly object[]>>;

/** Compiled drawings by their text: figures of one kind differ in their data only, and compiling takes most of the time. */
const compiled = new Map<string, Promise<Runtime>>();

const CONFIG = {
  font: FONT,
  background: 'transparent',
  view: { stroke: null },
  axis: {
    grid: false,
    domainColor: COLOUR.axis,
    tickColor: COLOUR.axis,
    labelColor: COLOUR.ink,
    titleColor: COLOUR.ink,
    labelFontSize: 11,
    titleFontSize: 11.5,
    titleFontWeight: 'normal' as const,
  },
  legend: {
    orient: 'bottom' as const,
    title: null,
    labelFontSize: 11.5,
    labelColor: COLOUR.ink,
    // Without a canvas the width of words is guessed, and guessed wide.
    labelLimit: 420,
    offset: 6,
    symbolOpacity: 1,
    symbolSize: 60,
  },
};

async function compile(spec: object): Promise<Runtime> {
  const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
  return vega.parse(lite.compile({ ...spec, config: CONFIG } as TopLevelSpec).spec);
}

/**
 * Draws a Vega-Lite specification with its named data. Colours may be CSS variables of the page. A mark that has a
 * description becomes one that a pointer can ask: the text as its title, its link outside the order of the tab key.
 * The text has no identifiers, so that many figures may stand in one page, and is hidden from screen readers: the words
 * beside a figure are theirs.
 */
export async function draw(spec: object, data: Data): Promise<string> {
  const key = JSON.stringify(spec);
  const runtime = compiled.get(key) ?? compile(spec);
  compiled.set(key, runtime);
  const vega = await import('vega');
  const view = new vega.View(await runtime, { renderer: 'none' });
  for (const [name, rows] of Object.entries(data)) view.data(name, [...rows]);
  const text = await view.toSVG();
  view.finalize();
  return plain(text);
}

/** Takes out what Vega says for pages that leave a figure to themselves. */
function plain(svg: string): string {
  return (
    svg
      .replace('<svg ', '<svg aria-hidden="true" focusable="false" ')
      .replace(/<path ([^>]*?)aria-label="([^"]*)"([^>]*?)\/>/g, '<path $1$3><title>$2</title></path>')
      .replaceAll('<a xlink:href=', '<a tabindex="-1" href=')
      .replace(/ (?:role|aria-roledescription|aria-label|font-family|xmlns:xlink|version)="[^"]*"/g, '')
      .replace(/<path class="(?:background|foreground)" aria-hidden="true"[^>]*?\/>/g, '')
      // A hundredth of a pixel is enough.
      .replace(/ (?:d|transform)="[^"]*"/g, (shape) => shape.replace(/(\.\d\d)\d+/g, '$1'))
  );
}

/** A colour for each group. */
export const colour = (groups: Groups) => ({
  field: 'group',
  type: 'nominal' as const,
  scale: { domain: [groups.reference, groups.treatment], range: [COLOUR.reference, COLOUR.treatment] },
});

/** A shape for each group: colour is never the only sign. */
export const shape = (groups: Groups) => ({
  field: 'group',
  type: 'nominal' as const,
  scale: { domain: [groups.reference, groups.treatment], range: ['circle', 'triangle-up'] },
});

/** What a pointer finds at a subject's point: the words of its field `about`, and a link where it has a `href`. */
export const SUBJECT = {
  description: { field: 'about', type: 'nominal' as const },
  href: {
    condition: { test: 'isValid(datum.href)', field: 'href', type: 'nominal' as const },
    value: '',
  },
};
