/** Pictures in the subject's page: two that belong together are shown in turn, or side by side where nothing may move. */
import type { RoiLabel } from '../../../config/study.ts';
import { type Html, html, trusted } from '../markup.ts';
import { LABEL_COLOURS, type Rgb } from '../pictures.ts';
import { CARPET_MOST } from './carpet.ts';
import type { Figure, FigureSection } from './types.ts';

/** A figure with the content of its files: PNG bytes, or the text of an SVG. */
export interface LoadedFigure extends Omit<Figure, 'frames'> {
  readonly frames: readonly { readonly label: string; readonly content: Uint8Array | string }[];
}

export const SECTION_TITLES: Readonly<Record<FigureSection, string>> = {
  topup: 'Susceptibility distortion',
  eddy: 'Eddy currents and motion',
  slices: 'Slices by volumes',
  motion: 'Head motion',
  direction: 'Directions',
  registration: 'Registration',
  regions: 'Regions on MD',
  change: 'Change of MD',
};

/** All figures of one section. @param changeMost end of the colours of change, mm2/s */
export function figureSection(
  section: FigureSection,
  figures: readonly LoadedFigure[],
  labels: readonly RoiLabel[],
  changeMost: number,
): Html {
  return html`${legend(section, labels, changeMost)}<div class="pair ${section}">${figures.map((figure) => figureOf(figure))}</div>`;
}

function figureOf({ section, place, caption, frames }: LoadedFigure): Html {
  const title = place === null ? '' : `${place}: `;
  const shots = frames.map(
    ({ label, content }) =>
      html`<div class="frame">${frames.length > 1 && html`<b>${label}</b>`}${shot(content, `${title}${label}, ${SECTION_TITLES[section].toLowerCase()}`)}</div>`,
  );
  const words = html`<figcaption>${place !== null && html`<span class="place">${place}</span> `}${caption}</figcaption>`;
  if (frames.length < 2) return html`<figure class="shot ${section}">${shots}${words}</figure>\n`;
  const [first, second] = frames.map(({ label }) => label);
  const choice = (show: string, text: string) =>
    html`<button type="button" data-show="${show}" aria-pressed="false">${text}</button>`;
  return html`<figure class="shot ${section}" data-show="both"><div class="choices" role="group" aria-label="How ${title}${first} and ${second} are shown" hidden>${choice('turns', 'in turn')}${choice('first', first)}${choice('second', second)}${choice('both', 'side by side')}</div>
<div class="frames">${shots}</div>${words}</figure>\n`;
}

function shot(content: Uint8Array | string, alt: string): Html {
  if (typeof content === 'string') return html`<div role="img" aria-label="${alt}">${trusted(content)}</div>`;
  return html`<img alt="${alt}" src="data:image/png;base64,${Buffer.from(content).toString('base64')}">`;
}

function legend(section: FigureSection, labels: readonly RoiLabel[], changeMost: number): Html | false {
  const swatch = (colour: Rgb, text: string) =>
    html`<li><i style="background: rgb(${colour.join(' ')})"></i>${text}</li>`;
  switch (section) {
    case 'direction':
      return html`<ul class="legend">${swatch([230, 40, 40], 'left to right')}${swatch([40, 190, 40], 'front to back')}${swatch([60, 80, 255], 'up and down')}</ul>`;
    case 'regions':
      return html`<ul class="legend">${labels.map(({ index, name }) => swatch(LABEL_COLOURS[(index - 1) % LABEL_COLOURS.length], name))}</ul>`;
    case 'change':
      return html`<p class="scale"><span>−${changeMost * 1e3}</span><i></i><span>+${changeMost * 1e3} × 10⁻³ mm²/s; red: MD fell. Regions in black.</span></p>`;
    case 'slices':
      return html`<p class="scale"><span>${deviation(-CARPET_MOST)} signal lost</span><i></i><span>${deviation(CARPET_MOST)} flash; grey: not known</span></p>`;
    default:
      return false;
  }
}

/** A logarithm of a ratio as a change in per cent. */
const deviation = (log: number) =>
  `${log < 0 ? '−' : '+'}${Math.abs(100 * (Math.exp(log) - 1)).toFixed(0)} %`;
