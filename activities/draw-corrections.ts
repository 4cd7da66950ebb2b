/** Pictures of what topup and eddy did to a session, of its slices and of the head's motion. */
import { readFile } from 'node:fs/promises';
import type { Study } from '../config/study.ts';
import { isMissing, readTable } from '../config/tables.ts';
import { B0_MAX } from '../imaging/gradients.ts';
import type { Image } from '../imaging/image.ts';
import { readImage } from '../imaging/nifti.ts';
import type { SessionInTemplate } from '../pipeline/protocol.ts';
import { sessionName } from '../pipeline/study.ts';
import { qcPath } from './qc/publish.ts';
import { type Picture, robustWindow, type Volume } from './report/pictures.ts';
import { badSlices, type Cell, carpetPicture, type SliceQuality } from './report/subject/carpet.ts';
import { type HeadPosition, motionTraces } from './report/subject/motion.ts';
import * as scene from './report/subject/scenes.ts';
import type { Figure } from './report/subject/types.ts';

/** A figure before its pictures (or SVG texts) are files. */
export type Sketch = Omit<Figure, 'frames'> & {
  readonly frames: readonly {
    readonly name: string;
    readonly label: string;
    readonly picture: Picture | string;
  }[];
};

/** What is told of one volume of the series. */
interface VolumeRow extends HeadPosition {
  readonly bval: number;
}

/** Before and after topup and eddy, the raw series' slices, the head's motion: those for which there are files. */
export async function* corrections(
  study: Study,
  subject: string,
  one: SessionInTemplate,
): AsyncGenerator<Sketch> {
  const place = sessionName(one.session);
  const mask = await readImage(one.mask.path);
  const view = scene.threePlanes(mask);
  if (one.unwarped) {
    const [before, after] = [await readImage(one.b0s.path), await readImage(one.unwarped.path)];
    const window = robustWindow(scene.volumeAt(after, 0).data, 0.02, 0.995);
    const frame = (image: Image, name: string, label: string) => ({
      name: `${place}_topup_${name}`,
      label,
      picture: scene.bothDirections(image, view, window),
    });
    yield {
      place,
      section: 'topup',
      caption: 'First and last b0, of opposed phase encoding: after topup both rows should show one head.',
      frames: [frame(before, 'before', 'as acquired'), frame(after, 'after', 'after topup')],
      overview: true,
    };
  }
  const rows = await readConfounds(qcPath(study, subject, one.session, 'confounds', '.tsv'));
  if (rows.length > 0 && one.rawDwi) {
    const t = mostMoved(rows);
    const raw = await volumeOfFile(one.rawDwi.path, t);
    const corrected = await volumeOfFile(one.dwi.path, t);
    const window = robustWindow(corrected.data, 0.02, 0.995);
    const edge = scene.edgeOf(mask.data);
    const frame = (volume: Volume, name: string, label: string) => ({
      name: `${place}_eddy_${name}`,
      label,
      picture: scene.look(volume, view, { window, ...edge }),
    });
    yield {
      place,
      section: 'eddy',
      caption: `The weighted volume that moved most (volume ${t}, b = ${Math.round(rows[t].bval)} s/mm²), with the edge of the brain mask: after correction the brain should fill it.`,
      frames: [frame(raw, 'before', 'as acquired'), frame(corrected, 'after', 'after eddy')],
    };
  }
  const slices = await readSlices(qcPath(study, subject, one.session, 'slice', '.json'));
  if (slices)
    yield {
      place,
      section: 'slices',
      caption: slicesInWords(slices),
      frames: [{ name: `${place}_slices`, label: 'slices by volumes', picture: carpetPicture(slices) }],
    };
  if (rows.length > 1)
    yield {
      place,
      section: 'motion',
      caption: `Position of the head against the first volume, and framewise displacement (FD); largest FD ${Math.max(...rows.map(({ framewise }) => framewise ?? 0)).toFixed(2)} mm.`,
      frames: [{ name: `${place}_motion`, label: 'motion over volumes', picture: await motionTraces(rows) }],
    };
}

/** One volume of a series, without holding on to the others. */
async function volumeOfFile(path: string, t: number): Promise<Volume> {
  const { grid, data } = scene.volumeAt(await readImage(path), t);
  return { grid, data: Float32Array.from(data) };
}

/** The weighted volume whose head lies furthest from the first, in mm at 50 mm from the centre. */
function mostMoved(rows: readonly VolumeRow[]): number {
  const distance = ({ translation, rotation }: VolumeRow) =>
    Math.hypot(...translation) + 50 * Math.hypot(...rotation);
  let best = -1;
  for (const [t, row] of rows.entries())
    if (row.bval > B0_MAX && (best < 0 || distance(row) > distance(rows[best]))) best = t;
  return Math.max(0, best);
}

/** The confounds of a session; none where nothing was measured. */
async function readConfounds(path: string): Promise<VolumeRow[]> {
  const { table } = await readTable(path);
  return table.rows.map(({ cells }) => {
    const number = (name: string) => Number(cells[name]);
    return {
      translation: [number('trans_x'), number('trans_y'), number('trans_z')],
      rotation: [number('rot_x'), number('rot_y'), number('rot_z')],
      framewise: isMissing(cells['framewise_displacement']) ? null : number('framewise_displacement'),
      bval: number('bval'),
    };
  });
}

async function readSlices(path: string): Promise<SliceQuality | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** What the heat map shows, for those who cannot see it. */
function slicesInWords(slices: SliceQuality): string {
  const say = (cells: readonly Cell[]) =>
    cells.length === 0
      ? 'none'
      : `${cells.length} (${cells
          .slice(0, 3)
          .map(([volume, slice]) => `volume ${volume} slice ${slice}`)
          .join(', ')}${cells.length > 3 ? ', ...' : ''})`;
  const kinds = [
    slices.Outliers === null
      ? 'no report of outliers from eddy'
      : `outliers of eddy: ${say(slices.Outliers)}`,
    `dropped: ${say(slices.Dropped)}`,
    `spiked: ${say(slices.Spiked)}`,
  ];
  const bad = badSlices(slices).length;
  return `${bad === 0 ? 'No bad slice' : `Bad slices: ${bad}, framed`}; ${kinds.join('; ')}. Volumes from left to right, slices from the bottom up, from 0.`;
}
