/**
 * A subject's pictures: corrections before and after, slices that went wrong, directions, regions, registration, change.
 * They are files below `figures/`, with an index that the subject's page is made from (`report/subject/`).
 */
import { join } from 'node:path';
import type { Study } from '../config/study.ts';
import type { Image } from '../imaging/image.ts';
import { readImage } from '../imaging/nifti.ts';
import type { SessionInTemplate, SubjectMaps } from '../pipeline/protocol.ts';
import { sessionName } from '../pipeline/study.ts';
import { writeInto, writeJsonInto } from './derivatives.ts';
import { corrections, type Sketch } from './draw-corrections.ts';
import { labelsInNative } from './native-labels.ts';
import { png, robustWindow } from './report/pictures.ts';
import { paintDifference, paintDirection } from './report/subject/colours.ts';
import { viewerGrid, viewerLabels, viewerMap } from './report/subject/maps.ts';
import * as scene from './report/subject/scenes.ts';
import type { Drawn, Figure, ViewerMap } from './report/subject/types.ts';

/** MD shown black and white, mm2/s: all of the brain but fluid, the same for every subject. */
export const MD_WINDOW = [0, 2e-3] as const;
/** Change of MD drawn in full colour, mm2/s. */
export const CHANGE_MOST = 0.3e-3;
const FA_WINDOW = [0, 0.9] as const;

/** What lies on the template's grid: template, regions, and the change of MD where there are two sessions. */
export interface TemplateSpace {
  readonly template: Image;
  readonly labels: Image;
  readonly change?: Image;
}

/** Draws, writes and lists a subject's pictures. @param beat called between pictures */
export async function drawSubject(
  study: Study,
  subject: string,
  maps: SubjectMaps,
  space: TemplateSpace,
  beat: () => void,
): Promise<Drawn> {
  const folder = join(study.output, subject, 'figures');
  const figures: Figure[] = [];
  const keep = async (sketches: AsyncIterable<Sketch>) => {
    for await (const { frames, ...figure } of sketches) {
      const kept: { file: string; label: string }[] = [];
      for (const { name, label, picture } of frames) {
        const file = `${name}.${typeof picture === 'string' ? 'svg' : 'png'}`;
        await writeInto(join(folder, file), typeof picture === 'string' ? picture : png(picture));
        kept.push({ file, label });
      }
      figures.push({ ...figure, frames: kept });
      beat();
    }
  };
  for (const one of maps.sessions) {
    await keep(corrections(study, subject, one));
    await keep(nativeMaps(one, maps, space.labels));
  }
  await keep(inTemplate(maps, space));
  const drawn: Drawn = { figures, maps: await viewerMaps(folder, maps, space) };
  await writeJsonInto(join(folder, 'figures.json'), drawn);
  return drawn;
}

/** Directions, and MD with the regions, in a session's own space. */
async function* nativeMaps(one: SessionInTemplate, maps: SubjectMaps, labels: Image): AsyncGenerator<Sketch> {
  const place = sessionName(one.session);
  const [fa, v1, mask] = [
    await readImage(one.fa.path),
    await readImage(one.v1.path),
    await readImage(one.mask.path),
  ];
  yield {
    place,
    section: 'direction',
    caption: 'Main direction of diffusion, as bright as FA.',
    frames: [
      {
        name: `${place}_direction`,
        label: 'colour FA',
        picture: scene.look(fa, scene.axialAndCoronal(mask, mask), {
          window: FA_WINDOW,
          paint: paintDirection(fa, v1),
        }),
      },
    ],
  };
  const md = await readImage(one.md.path);
  const followup = one !== maps.sessions[0];
  const premat = followup ? maps.followupToBaseline?.path : undefined;
  const native = await labelsInNative(labels, maps.warp.path, premat, md.grid);
  const view = scene.axialAndCoronal(mask, { grid: md.grid, data: native });
  yield {
    place,
    section: 'regions',
    caption: 'MD as acquired, with the regions brought back through the registration.',
    frames: [
      {
        name: `${place}_md_native`,
        label: 'MD in native space',
        picture: scene.look(md, view, { window: MD_WINDOW, ...scene.regionsOf(native) }),
      },
    ],
  };
}

/** Registration, MD with the regions, and change. */
async function* inTemplate(
  maps: SubjectMaps,
  { template, labels, change }: TemplateSpace,
): AsyncGenerator<Sketch> {
  const fa = await readImage(maps.faInTemplate.path);
  const brain = { grid: template.grid, data: template.data };
  const everywhere = scene.axialAndCoronal(brain, brain);
  const some = scene.thinned(template.data);
  const level = scene.otsuLevel(some);
  const window = robustWindow(some, 0, 0.995);
  const edge = scene.edgeOf(template.data, level);
  yield {
    place: null,
    section: 'registration',
    caption: 'Baseline FA in template space, and the template itself: tracts should stay where they are.',
    frames: [
      {
        name: 'fa_template',
        label: 'FA of the subject',
        picture: scene.look(fa, everywhere, { window: FA_WINDOW }),
      },
      { name: 'template', label: 'template', picture: scene.look(template, everywhere, { window }) },
    ],
    overview: true,
  };
  yield {
    place: null,
    section: 'registration',
    caption: `Edges of the template's white matter (FA above ${(level / window[1]).toFixed(2)} of its brightest) over the subject's FA.`,
    frames: [
      {
        name: 'fa_edges',
        label: 'edges of the template',
        picture: scene.look(fa, everywhere, { window: FA_WINDOW, ...edge }),
      },
    ],
  };
  const regions = scene.axialAndCoronal(brain, { grid: labels.grid, data: labels.data });
  const md: { where: string; image: Image }[] = [];
  for (const one of maps.sessions)
    md.push({ where: sessionName(one.session), image: await readImage(one.mdInTemplate.path) });
  yield {
    place: null,
    section: 'regions',
    caption: 'MD in template space, with the regions; black 0, white 2 × 10⁻³ mm²/s.',
    frames: md.map(({ where, image }) => ({
      name: `${where}_md_template`,
      label: where,
      picture: scene.look(image, regions, { window: MD_WINDOW, ...scene.regionsOf(labels.data) }),
    })),
    overview: true,
  };
  if (!change) return;
  yield {
    place: null,
    section: 'change',
    caption: 'Change of MD, baseline minus follow-up, where both sessions have data.',
    frames: [
      {
        name: 'dmd_template',
        label: 'dMD',
        picture: scene.look(change, everywhere, {
          window: MD_WINDOW,
          paint: paintDifference(change.data, CHANGE_MOST),
          ...scene.regionsOf(labels.data, [[0, 0, 0]]),
        }),
      },
    ],
  };
}

/** Baseline FA, MD of each session, their change, and the regions, for the page's viewer. */
async function viewerMaps(
  folder: string,
  maps: SubjectMaps,
  { template, labels, change }: TemplateSpace,
): Promise<ViewerMap[]> {
  const grid = viewerGrid(template);
  const fa = await readImage(maps.faInTemplate.path);
  const most = labels.data.reduce((a, b) => Math.max(a, b), 1);
  const sources: { map: Omit<ViewerMap, 'file'>; stem: string; image: Image }[] = [
    { map: { name: 'FA', colours: 'gray', range: [0, 1] }, stem: 'fa', image: fa },
  ];
  for (const one of maps.sessions) {
    const where = sessionName(one.session);
    sources.push({
      map: { name: maps.sessions.length > 1 ? `MD ${where}` : 'MD', colours: 'gray', range: [0, 3e-3] },
      stem: `${where}_md`,
      image: await readImage(one.mdInTemplate.path),
    });
  }
  if (change)
    sources.push({
      map: { name: 'dMD', colours: 'diverging', range: [-CHANGE_MOST, CHANGE_MOST] },
      stem: 'dmd',
      image: change,
    });
  sources.push({
    map: { name: 'regions', colours: 'regions', range: [0, most] },
    stem: 'regions',
    image: labels,
  });
  const kept: ViewerMap[] = [];
  for (const { map, stem, image } of sources) {
    const file = `viewer_${stem}.nii.gz`;
    await writeInto(
      join(folder, file),
      map.colours === 'regions' ? viewerLabels(image, grid) : viewerMap(image, grid, map.range),
    );
    kept.push({ ...map, file });
  }
  return kept;
}
