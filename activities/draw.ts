/** A subject's pictures: distortion before and after, FA and MD with the regions in template space. */
import { join } from 'node:path';
import type { Study } from '../config/study.ts';
import { type Image, volumeOf } from '../imaging/image.ts';
import { readImage } from '../imaging/nifti.ts';
import type { SubjectMaps } from '../pipeline/protocol.ts';
import { sessionName } from '../pipeline/study.ts';
import { writeInto, writeJsonInto } from './derivatives.ts';
import {
  type Axis,
  above,
  beside,
  LABEL_COLOURS,
  mosaic,
  type Picture,
  png,
  robustWindow,
  slicesThrough,
} from './report/pictures.ts';

/** Width a mosaic is drawn at, pixels a tile; screens show it one to one. */
const TILE_PIXELS = 150;

function zoomFor(image: Image, axis: Axis): number {
  const across = axis === 0 ? 1 : 0;
  return TILE_PIXELS / (image.grid.dims[across] * image.grid.voxelSizes[across]);
}

/** Slices through the regions rather than through the whole brain: where there is something to see. */
function through(
  image: Image,
  window: readonly [number, number],
  labels: Image,
  axis: Axis,
  count: number,
): Picture {
  return mosaic(
    { grid: image.grid, data: volumeOf(image, 0) },
    {
      axis,
      slices: slicesThrough({ grid: labels.grid, data: labels.data }, axis, count),
      columns: count,
      window,
      zoom: zoomFor(image, axis),
      labels: { data: labels.data, colours: LABEL_COLOURS },
    },
  );
}

export async function drawSubject(
  study: Study,
  subject: string,
  maps: SubjectMaps,
  space: { template: Image; labels: Image },
): Promise<void> {
  const pictures: { file: string; caption: string; picture: Picture }[] = [];
  for (const one of maps.sessions) {
    const where = sessionName(one.session);
    if (!one.unwarped) continue;
    const [before, after] = [await readImage(one.b0s.path), await readImage(one.unwarped.path)];
    const last = before.volumes - 1;
    const window = robustWindow(volumeOf(before, 0), 0.02, 0.99);
    const slice = (image: Image, t: number) => {
      const volume = { grid: image.grid, data: volumeOf(image, t) };
      // Beside the midline, whose fissure shows little of the brain.
      const slices = slicesThrough({ grid: image.grid, data: volumeOf(after, 0) }, 0, 2).slice(0, 1);
      return mosaic(volume, { axis: 0, slices, columns: 1, window, zoom: zoomFor(image, 0) });
    };
    pictures.push({
      file: `${where}_distortion.png`,
      caption: `${where}: first and last b0 (opposed phase encoding) as acquired, then undistorted by topup`,
      picture: beside([slice(before, 0), slice(before, last), slice(after, 0), slice(after, last)]),
    });
  }
  const fa = await readImage(maps.faInTemplate.path);
  pictures.push({
    file: 'fa_template.png',
    caption: 'Baseline FA in template space, and the template, with the regions outlined',
    picture: above([
      through(fa, [0, 0.9], space.labels, 2, 5),
      through(space.template, robustWindow(space.template.data, 0, 0.995), space.labels, 2, 5),
    ]),
  });
  for (const one of maps.sessions) {
    const md = await readImage(one.mdInTemplate.path);
    pictures.push({
      file: `${sessionName(one.session)}_md_template.png`,
      caption: `${sessionName(one.session)}: MD in template space, black 0, white 2e-3 mm²/s`,
      picture: through(md, [0, 2e-3], space.labels, 2, 5),
    });
  }
  const folder = join(study.output, subject, 'figures');
  for (const { file, picture } of pictures) await writeInto(join(folder, file), png(picture));
  await writeJsonInto(
    join(folder, 'figures.json'),
    pictures.map(({ file, caption }) => ({ file, caption })),
  );
}
