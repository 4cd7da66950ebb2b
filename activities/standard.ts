/**
 * What a study takes from FSL (`fsl:NAME`) and the regions it defines, made into files. Files of an FSL in an image are
 * copied out of it once:
 *
 *   <work>/atlases/<image digest>/FMRIB58_FA_1mm.nii.gz
 *   <work>/atlases/<image digest>/atlases.json           what is in its data/atlases
 *   <work>/atlases/<hash of the definition>/regions.nii.gz
 *
 * Those of an FSL on this machine are used where they are. Either way their content is in the key of every result.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describes, readAtlas } from '../config/atlas.ts';
import { suggestOrList } from '../config/problems.ts';
import { FROM_FSL } from '../config/schema.ts';
import type { RoiLabel, Study, WrittenStudy } from '../config/study.ts';
import { type FslFiles, installedFsl } from '../containers/fsl-files.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import { writeInto } from './derivatives.ts';
import { numbered, writeRegions } from './regions.ts';
import { runtimeFor } from './runtimes.ts';
import { hashFile } from './store.ts';
import { isThere } from './whole-file.ts';

const TEMPLATES = 'data/standard';
const ATLASES = 'data/atlases';
const IMAGE = /\.nii(\.gz)?$/;

/** The FSL of a study's runtime; where its tools are not FSL's, the one of this machine. */
async function fslOf({ runtime }: WrittenStudy): Promise<FslFiles> {
  const own = await (await runtimeFor(runtime)).fsl();
  const installed = process.env['FSLDIR'];
  if (own) return own;
  if (installed) return installedFsl(installed);
  throw new DeltaMdError(
    'TOOL_MISSING',
    `${FROM_FSL} names a file of FSL, but the tools of this study are not FSL's, and FSLDIR is not set`,
    {
      remedy: 'Set FSLDIR, let runtime name an FSL (fslDir, or an image with it), or give files of your own',
    },
  );
}

/** What a study takes from one FSL, with copies in its work folder. */
class FslShelf {
  readonly #fsl: FslFiles;
  readonly #copies: string;

  constructor(fsl: FslFiles, work: string) {
    this.#fsl = fsl;
    this.#copies = join(work, 'atlases', (fsl.digest ?? '').replace('sha256:', '').slice(0, 16));
  }

  /** A file on this machine with the content of one of FSL's; undefined where FSL has none. */
  async #bring(file: string): Promise<string | undefined> {
    if (this.#fsl.folder !== undefined) {
      const path = join(this.#fsl.folder, file);
      return (await isThere(path)) ? path : undefined;
    }
    const copy = join(this.#copies, basename(file));
    if (await isThere(copy)) return copy;
    const content = await this.#fsl.read(file);
    if (content === undefined) return undefined;
    await writeInto(copy, content);
    return copy;
  }

  /** Everything in data/atlases. */
  async #atlases(): Promise<string[]> {
    if (this.#fsl.folder !== undefined) return this.#fsl.list(ATLASES);
    const file = join(this.#copies, 'atlases.json');
    const known = await readFile(file, 'utf8').catch(() => undefined);
    if (known !== undefined) return JSON.parse(known);
    const names = await this.#fsl.list(ATLASES);
    await writeInto(file, JSON.stringify(names));
    return names;
  }

  /** @throws DeltaMdError CONFIG_INVALID for a name that FSL does not have */
  async image(name: string): Promise<string> {
    const template = /^\w[\w.+-]*$/.test(name) && (await this.#bring(`${TEMPLATES}/${name}.nii.gz`));
    if (template) return template;
    const file = (await this.#atlases()).find((path) => IMAGE.test(path) && nameOf(path) === name);
    if (file) return (await this.#bring(`${ATLASES}/${file}`))!;
    const names = [...(await this.#fsl.list(TEMPLATES)), ...(await this.#atlases())];
    throw new DeltaMdError('CONFIG_INVALID', `${this.#fsl.place} has no template or atlas ${name}`, {
      remedy: suggestOrList(
        name,
        [...new Set(names.filter((path) => IMAGE.test(path)).map(nameOf))],
        'It has',
      ),
    });
  }

  /** Names of an atlas's labels, as FSL's own description of it has them; none where there is none. */
  async labels(name: string): Promise<readonly RoiLabel[]> {
    const files = await this.#atlases();
    const image = files.find((path) => IMAGE.test(path) && nameOf(path) === name)?.replace(IMAGE, '');
    if (image === undefined) return [];
    // The likeliest first, so that few are read.
    const likeness = (file: string) => [...nameOf(image)].findIndex((letter, i) => letter !== file[i]);
    const descriptions = files.filter((path) => /^[^/]+\.xml$/.test(path));
    let near: readonly RoiLabel[] = [];
    for (const file of descriptions.sort((a, b) => likeness(b) - likeness(a))) {
      const path = await this.#bring(`${ATLASES}/${file}`);
      const atlas = path && readAtlas(await readFile(path));
      const fit = atlas && describes(atlas, image);
      if (atlas && fit === 'exactly') return atlas.labels;
      if (atlas && fit === 'nearly') near = atlas.labels;
    }
    return near;
  }
}

/** `HarvardOxford-sub-maxprob-thr25-1mm` of its path. */
function nameOf(path: string): string {
  return basename(path).replace(IMAGE, '');
}

/**
 * A study with its template and regions as files; cheap where they are there already.
 * @throws DeltaMdError TOOL_MISSING, RUNTIME_UNAVAILABLE; CONFIG_INVALID for names FSL or an atlas does not have
 */
export async function readyStudy(written: WrittenStudy): Promise<Study> {
  const { rois, work } = written;
  let opened: Promise<FslShelf> | undefined;
  const shelf = () => (opened ??= fslOf(written).then((fsl) => new FslShelf(fsl, work)));
  const fileOf = async (image: string): Promise<string> =>
    image.startsWith(FROM_FSL) ? (await shelf()).image(image.slice(FROM_FSL.length)) : image;
  const labelsOf = async (image: string): Promise<readonly RoiLabel[]> => {
    if (image === rois.image && rois.labels) return rois.labels;
    return image.startsWith(FROM_FSL) ? (await shelf()).labels(image.slice(FROM_FSL.length)) : [];
  };
  const template = await fileOf(written.template);
  const study = {
    ...written,
    template,
    runtime: seeing(written.runtime, template),
  };
  const { minimumCoverage } = rois;
  if (rois.regions === undefined) {
    const [image, labels] = [await fileOf(rois.image), await labelsOf(rois.image)];
    if (labels.length === 0)
      throw new DeltaMdError('CONFIG_INVALID', `the labels of ${rois.image} have no names`, {
        remedy: 'Name them under rois.labels, or define rois.regions',
      });
    return { ...study, rois: { image, labels, minimumCoverage } };
  }
  const regions = await Promise.all(
    rois.regions.map(async (region) => {
      const image = region.image ?? rois.image;
      return numbered(region, await fileOf(image), await labelsOf(image));
    }),
  );
  const contents = await Promise.all(
    [template, ...new Set(regions.map(({ image }) => image))].map((path) => hashFile(path)),
  );
  const definition = JSON.stringify([contents, regions]);
  const key = createHash('sha256').update(definition).digest('hex').slice(0, 16);
  const image = join(work, 'atlases', key, 'regions.nii.gz');
  if (!(await isThere(image))) await writeRegions(image, regions, template);
  const labels = regions.map(({ name }, i) => ({ index: i + 1, name }));
  return { ...study, rois: { image, labels, minimumCoverage } };
}

/** A runtime that may read the template too, wherever it was found. */
function seeing(runtime: Study['runtime'], template: string): Study['runtime'] {
  if (runtime.kind === 'process' || runtime.roots?.includes(template)) return runtime;
  return { ...runtime, roots: [...(runtime.roots ?? []), template] };
}
