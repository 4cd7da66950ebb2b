/** Templates, atlases and regions: what a study takes from FSL by name, and label images made of its definitions. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { drawRegions, requireOnTemplate } from '../../activities/regions.ts';
import { readyStudy } from '../../activities/standard.ts';
import { describes, numbersNamed, readAtlas } from '../../config/atlas.ts';
import { loadStudy } from '../../config/load.ts';
import type { Study } from '../../config/study.ts';
import { gridFromAffine } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';

/** FSL's way: x runs from right to left, so that the first voxel is the rightmost. */
const GRID = gridFromAffine(
  [4, 3, 2],
  Float64Array.of(-10, 0, 0, 15, 0, 10, 0, -10, 0, 0, 10, 0, 0, 0, 0, 1),
);
const OTHER = gridFromAffine(
  [4, 3, 2],
  Float64Array.of(10, 0, 0, -15, 0, 10, 0, -10, 0, 0, 10, 0, 0, 0, 0, 1),
);
const N = 24;

const SUB = `<?xml version="1.0" encoding="ISO-8859-1"?>
<atlas version="1.0">
  <header>
    <name>Harvard-Oxford Subcortical Structural Atlas</name>
    <shortname>HOSPA</shortname>
    <type>Probabalistic</type>
    <images>
      <imagefile>/HarvardOxford/HarvardOxford-sub-prob-2mm</imagefile>
      <summaryimagefile>/HarvardOxford/HarvardOxford-sub-maxprob-thr25-2mm</summaryimagefile>
    </images>
  </header>
  <data>
    <!-- <label index="7" x="0" y="0" z="0">Not this</label> -->
    <label index="0" x="58" y="37" z="50">Left Cerebral White Matter</label>
    <label index="1" x="70" y="63" z="35">Left Cerebral Cortex </label>
    <label index="8" x="59" y="54" z="27">Left Hippocampus</label>
    <label index="18" x="29" y="54" z="27">Right Hippocampus &amp; co&#233;</label>
  </data>
</atlas>`;

const TALAIRACH = `<atlas>
  <header><name>Talairach Daemon Labels</name><type>Label</type>
    <images><imagefile>/Talairach/Talairach-labels-1mm</imagefile>
    <summaryimagefile>/Talairach/Talairach-labels-1mm</summaryimagefile></images>
  </header>
  <data>
    <label index="0" x="0" y="0" z="0">*.*.*.*.*</label>
    <label index="3" x="0" y="0" z="0">Left Cerebrum.Frontal Lobe.Middle Frontal Gyrus.Gray Matter.Brodmann area 10</label>
    <label index="4" x="0" y="0" z="0">Left Cerebrum.Frontal Lobe.Medial Frontal Gyrus.Gray Matter.Brodmann area 10</label>
    <label index="5" x="0" y="0" z="0">Right Cerebrum.Frontal Lobe.Middle Frontal Gyrus.Gray Matter.Brodmann area 10</label>
    <label index="6" x="0" y="0" z="0">Left Cerebrum.Limbic Lobe.Cingulate Gyrus.Gray Matter.Brodmann area 24</label>
  </data>
</atlas>`;

const image = (data: readonly number[], grid = GRID) => ({ grid, volumes: 1, data: Float32Array.from(data) });
const HO = Array.from({ length: N }, (_, v) => (v % 4 === 0 ? 9 : v % 4 === 3 ? 19 : 0));
const BRODMANN = Array.from({ length: N }, (_, v) => (v % 4 === 0 ? 0 : [3, 4, 6][Math.floor(v / 4) % 3]));

let root: string;
let fsl: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md fsl '));
  fsl = join(root, 'fsl');
  const put = async (path: string, data: readonly number[], grid = GRID) => {
    await mkdir(dirname(join(fsl, path)), { recursive: true });
    await writeImage(join(fsl, path), image(data, grid));
  };
  await put('data/standard/FMRIB58_FA_1mm.nii.gz', new Array(N).fill(0.5));
  await put('data/atlases/HarvardOxford/HarvardOxford-sub-maxprob-thr25-1mm.nii.gz', HO);
  await put('data/atlases/HarvardOxford/HarvardOxford-sub-maxprob-thr25-2mm.nii.gz', HO, OTHER);
  await put('data/atlases/Talairach/Talairach-labels-1mm.nii.gz', BRODMANN);
  await put('data/atlases/JHU/JHU-ICBM-FA-1mm.nii.gz', HO);
  const four = { grid: GRID, volumes: 2, data: new Float32Array(2 * N) };
  await writeImage(join(fsl, 'data/atlases/HarvardOxford/HarvardOxford-sub-prob-1mm.nii.gz'), four);
  await writeFile(join(fsl, 'data/atlases/HarvardOxford-Subcortical.xml'), Buffer.from(SUB, 'latin1'));
  await writeFile(join(fsl, 'data/atlases/Talairach.xml'), TALAIRACH);
  await mkdir(join(root, 'bids', 'sub-01', 'ses-1'), { recursive: true });
});
afterAll(() => rm(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** A study of these settings, ready to be run. */
async function ready(
  settings: string,
  runtime = `{ kind: process, fslDir: ${JSON.stringify(fsl)} }`,
): Promise<Study> {
  const file = join(root, 'study.yaml');
  await writeFile(file, `study: t\nbids: ./bids\nsessions: { only: 1 }\nruntime: ${runtime}\n${settings}\n`);
  const loaded = await loadStudy(file);
  if (!loaded.ok)
    throw new Error(loaded.problems.map((p) => `${p.line} ${p.message}. ${p.remedy}`).join('\n'));
  return readyStudy(loaded.study);
}
const TEMPLATE = 'template: fsl:FMRIB58_FA_1mm';
const ATLAS = 'fsl:HarvardOxford-sub-maxprob-thr25-1mm';

/** Failure of a study of these settings. */
const failure = (settings: string, runtime?: string) =>
  ready(settings, runtime).then(
    () => 'it loads',
    (error) => `${error.failure?.code} ${error.message} ${error.failure?.remedy}`,
  );

describe('the description of an atlas', () => {
  it('numbers labels as its label image does: one more than volumes, the index itself for an atlas of labels', () => {
    const sub = readAtlas(Buffer.from(SUB, 'latin1'))!;
    expect(sub.labels).toEqual([
      { index: 1, name: 'Left Cerebral White Matter' },
      { index: 2, name: 'Left Cerebral Cortex' },
      { index: 9, name: 'Left Hippocampus' },
      { index: 19, name: 'Right Hippocampus & coé' },
    ]);
    const labels = readAtlas(Buffer.from(TALAIRACH))!;
    expect(labels.labels.map(({ index }) => index)).toEqual([3, 4, 5, 6]);
    expect(describes(sub, 'HarvardOxford/HarvardOxford-sub-prob-2mm')).toBe('exactly');
    expect(describes(sub, 'HarvardOxford/HarvardOxford-sub-maxprob-thr50-1mm')).toBe('nearly');
    expect(describes(sub, 'HarvardOxford/HarvardOxford-cort-maxprob-thr50-1mm')).toBeUndefined();
    expect(readAtlas(Buffer.from('<html><type>Label</type></html>'))).toBeUndefined();
  });

  it('is searched by names in which * stands for any letters', () => {
    const { labels } = readAtlas(Buffer.from(TALAIRACH))!;
    expect(numbersNamed('Left*Brodmann area 10', labels)).toEqual([3, 4]);
    expect(numbersNamed('*Brodmann area 24', labels)).toEqual([6]);
    expect(numbersNamed('Brodmann area 10', labels)).toEqual([]);
    expect(numbersNamed('Left.Cerebrum*', labels)).toEqual([]);
  });
});

describe('a study that names what FSL has', () => {
  it('takes template, atlas and the names of its labels from the FSL of its runtime', async () => {
    const study = await ready(`${TEMPLATE}\nrois: { image: ${ATLAS} }`);
    expect(study.template).toBe(join(fsl, 'data/standard/FMRIB58_FA_1mm.nii.gz'));
    expect(study.rois.image).toBe(
      join(fsl, 'data/atlases/HarvardOxford/HarvardOxford-sub-maxprob-thr25-1mm.nii.gz'),
    );
    expect(study.rois.labels).toContainEqual({ index: 9, name: 'Left Hippocampus' });
    await requireOnTemplate(study.rois.image, study.template);
  });

  it('takes them from FSLDIR where its tools are the built-in ones', async () => {
    vi.stubEnv('FSLDIR', fsl);
    const study = await ready(`${TEMPLATE}\nrois: { image: ${ATLAS} }`, '{ kind: process }');
    expect(study.template).toBe(join(fsl, 'data/standard/FMRIB58_FA_1mm.nii.gz'));
    vi.stubEnv('FSLDIR', '');
    expect(await failure(`${TEMPLATE}\nrois: { image: ${ATLAS} }`, '{ kind: process }')).toMatch(
      /^TOOL_MISSING .*FSLDIR/,
    );
  });

  it('is told what there is instead of a name that is not', async () => {
    expect(await failure(`template: fsl:FMRIB58_FA_1m\nrois: { image: ${ATLAS} }`)).toMatch(
      /^CONFIG_INVALID .*no template or atlas FMRIB58_FA_1m Did you mean "FMRIB58_FA_1mm"/,
    );
    expect(await failure(`template: fsl:../../etc/x\nrois: { image: ${ATLAS} }`)).toMatch(/^CONFIG_INVALID/);
    expect(await failure(`${TEMPLATE}\nrois: { image: fsl:JHU-ICBM-FA-1mm }`)).toMatch(/have no names/);
    expect(await failure(`${TEMPLATE}\nrois: { image: ${ATLAS}, regions: [Left Hipocampus] }`)).toMatch(
      /^CONFIG_INVALID .*"Left Hipocampus" is no label.*Did you mean "Left Hippocampus"/,
    );
  });

  it('is refused an atlas on another grid, in another orientation, or of probabilities', async () => {
    const template = join(fsl, 'data/standard/FMRIB58_FA_1mm.nii.gz');
    const atlas = (name: string) => join(fsl, 'data/atlases/HarvardOxford', `${name}.nii.gz`);
    await expect(requireOnTemplate(atlas('HarvardOxford-sub-maxprob-thr25-2mm'), template)).rejects.toThrow(
      /not on the grid of the template .*: its voxels lie up to 30\.0 mm elsewhere/,
    );
    await expect(requireOnTemplate(atlas('HarvardOxford-sub-prob-1mm'), template)).rejects.toMatchObject({
      failure: { code: 'INPUT_CONTRADICTS', remedy: expect.stringContaining('maxprob') },
    });
    expect(
      await failure(
        `${TEMPLATE}\nrois: { image: fsl:HarvardOxford-sub-maxprob-thr25-2mm, regions: [Left Hippocampus] }`,
      ),
    ).toMatch(/^INPUT_CONTRADICTS/);
  });
});

describe('regions', () => {
  it('by name are numbered in their order, in one image of the template’s grid', async () => {
    const settings = `${TEMPLATE}\nrois: { image: ${ATLAS}, regions: ["Right Hippocampus & coé", Left Hippocampus] }`;
    const { rois, work } = await ready(settings);
    expect(rois.labels).toEqual([
      { index: 1, name: 'Right Hippocampus & coé' },
      { index: 2, name: 'Left Hippocampus' },
    ]);
    expect(dirname(dirname(rois.image))).toBe(join(work, 'atlases'));
    const { data } = await readImage(rois.image);
    expect([...data]).toEqual(HO.map((label) => (label === 19 ? 1 : label === 9 ? 2 : 0)));
    // Made once; a study that says otherwise has an image of its own.
    expect((await ready(settings)).rois.image).toBe(rois.image);
    const other = await ready(`${TEMPLATE}\nrois: { image: ${ATLAS}, regions: [Left Hippocampus] }`);
    expect(other.rois.image).not.toBe(rois.image);
  });

  it('come from several atlases, as Brodmann areas within limits in mm', async () => {
    const { rois } = await ready(`${TEMPLATE}
rois:
  image: ${ATLAS}
  regions:
    lHippocampus: { label: Left Hippocampus }
    lBA10: { image: fsl:Talairach-labels-1mm, label: "Left*Brodmann area 10", limits: { x: [-10, 0], z: [5, 20] } }
    vACC: { image: fsl:Talairach-labels-1mm, label: [6], limits: { x: [0, 60], z: [-5, 5] } }`);
    const { data } = await readImage(rois.image);
    const found = (index: number) => [...data.keys()].filter((v) => data[v] === index);
    expect(found(1)).toEqual([0, 4, 8, 12, 16, 20]);
    // x of columns 0 to 3: 15, 5, -5, -15 mm; z of slices 0 and 1: 0, 10 mm. Rows 0 and 1 are area 10, row 2 is area 24.
    expect(found(2)).toEqual([14, 18]);
    expect(found(3)).toEqual([9]);
    expect(rois.labels.map(({ name }) => name)).toEqual(['lHippocampus', 'lBA10', 'vACC']);
  });

  it('come from files of one’s own, with names from a table or an atlas’s XML', async () => {
    await writeImage(join(root, 'own.nii.gz'), image(HO));
    await symlink(join(fsl, 'data/atlases/HarvardOxford-Subcortical.xml'), join(root, 'sub.xml'));
    const own = `template: ./own.nii.gz\nrois: { image: ./own.nii.gz`;
    const byXml = await ready(`${own}, labels: ./sub.xml, regions: [Left Hippocampus] }`);
    const byNumber = await ready(`${own}, regions: { Left Hippocampus: { label: 9 } } }`);
    expect(await readFile(byXml.rois.image)).toEqual(await readFile(byNumber.rois.image));
    expect((await ready(`${own}, labels: ./sub.xml }`)).rois.labels).toHaveLength(4);
    expect(await failure(`${own}, regions: [Left Hippocampus] }`)).toMatch(/no label.*No names are known/);
    await writeFile(join(root, 'no.xml'), '<x/>');
    await expect(ready(`${own}, labels: ./no.xml }`)).rejects.toThrow(/not the description of an atlas/);
    await expect(ready(`${own} }`)).rejects.toThrow(/rois.labels is missing/);
    await expect(ready(`${own}, regions: { a: { label: 9, limits: { x: [3, 1] } } } }`)).rejects.toThrow(
      /rois.regions.a.limits.x must be \[low, high\]/,
    );
    await expect(ready(`${own}, regions: { a: { image: ./none.nii, label: 9 } } }`)).rejects.toThrow(
      /rois.regions.a.image: there is no file/,
    );
  });

  it('that are empty or share voxels are refused by name', () => {
    const draw = (...regions: { name: string; numbers: number[]; limits?: { x: [number, number] } }[]) =>
      drawRegions(
        regions.map((region) => ({ ...region, image: 'a' })),
        { a: image(HO) },
      );
    expect(() => draw({ name: 'lost', numbers: [7] })).toThrow(/lost holds no voxel: a has none of 7$/);
    expect(() => draw({ name: 'far', numbers: [9], limits: { x: [50, 60] } })).toThrow(/within its limits/);
    expect(() => draw({ name: 'one', numbers: [9] }, { name: 'two', numbers: [9, 19] })).toThrow(
      /two and one share voxels/,
    );
  });
});
