/** The viewer of a subject's maps: NiiVue and the maps inside the page, asleep until somebody wants them. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { RoiLabel } from '../../../config/study.ts';
import { DeltaMdError } from '../../../pipeline/failures.ts';
import { type Html, html, trusted } from '../markup.ts';
import { LABEL_COLOURS } from '../pictures.ts';
import type { ViewerMap } from './types.ts';

/** A map with its bytes: gzipped NIfTI. */
export interface LoadedMap extends ViewerMap {
  readonly nifti: Uint8Array;
}

let packed: Promise<string> | undefined;

/**
 * NiiVue, gzipped, base64. It stands in every page (1 MB) rather than once beside them: a page that is sent to a colleague
 * or put into a trial's file works as it is.
 */
export function packedViewer(): Promise<string> {
  packed ??= readViewer().then((code) => gzipSync(code, { level: 9 }).toString('base64'));
  return packed;
}

/** The package exports its ES modules only; the script that a page can load lies beside them. */
async function readViewer(): Promise<Buffer> {
  const file = '@niivue/niivue/dist/niivue.umd.js';
  for (const folder of createRequire(import.meta.url).resolve.paths(file) ?? []) {
    const code = await readFile(join(folder, file)).catch(() => undefined);
    if (code) return code;
  }
  throw new DeltaMdError('INTERNAL', `${file} is not installed`, { remedy: 'Install delta-md again' });
}

/** JSON that may stand in a script element, whatever its texts hold. */
function jsonBlock(id: string, value: unknown): Html {
  const text = JSON.stringify(value).replaceAll('<', '\\u003c');
  return html`<script type="application/json" id="${id}">${trusted(text)}</script>`;
}

/** Colours of the regions as NiiVue's label table. */
function labelTable(labels: readonly RoiLabel[]) {
  const rows = [{ index: 0, name: '' }, ...labels];
  const channel = (c: 0 | 1 | 2) =>
    rows.map(({ index }) => (index === 0 ? 0 : LABEL_COLOURS[(index - 1) % LABEL_COLOURS.length][c]));
  return {
    R: channel(0),
    G: channel(1),
    B: channel(2),
    A: rows.map(({ index }) => (index === 0 ? 0 : 255)),
    I: rows.map(({ index }) => index),
    labels: rows.map(({ name }) => name),
  };
}

/** @param library {@link packedViewer}; base64 has no character that ends a script element */
export function viewerSection(
  maps: readonly LoadedMap[],
  labels: readonly RoiLabel[],
  library: string,
): Html {
  const names: Record<number, string> = Object.fromEntries(labels.map(({ index, name }) => [index, name]));
  const shown = maps.map((map, i) => ({ map, i })).filter(({ map }) => map.colours !== 'regions');
  return html`<div id="viewer">
<p><button type="button" disabled>Open the viewer</button> <span role="status">Needs JavaScript.</span></p>
<div class="stage" hidden>
<fieldset><legend>Map</legend>${shown.map(
    ({ map, i }) =>
      html`<label><input type="radio" name="map" value="${i}"${i === 0 && html` checked`}> ${map.name}</label>\n`,
  )}<label><input type="checkbox"> regions</label></fieldset>
<div class="screen"><canvas width="960" height="640" tabindex="0" aria-label="Three planes through the maps and a rendering; the pictures above show the same maps"></canvas></div>
<p class="soft"><output></output></p>
<p class="soft">Click to move the crosshair, scroll through slices, drag with the right button to change the window. The subject's right is on the left.</p>
</div>
${jsonBlock(
  'map-data',
  maps.map(({ name, colours, range, nifti }) => ({
    name,
    colours,
    range,
    base64: Buffer.from(nifti).toString('base64'),
    ...(colours === 'regions' ? { labels: labelTable(labels), names } : {}),
  })),
)}
<script type="text/plain" id="viewer-code">${trusted(library)}</script>
</div>`;
}
