/** The outputs as a BIDS dataset: named as the guide says, sourced to files that are there, valid; and exported whole. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BidsVerdict, officialVerdict } from '../../activities/bids/validator.ts';
import type { Foreseen } from '../../activities/foresee.ts';
import { hashFile } from '../../activities/store.ts';
import { deltaMd, makeStudy, removeStudy, type Study, works } from './harness.ts';

const VALIDATOR = ['bids-validator-deno', 'bids-validator'].find((program) => works(program, '--version'));
const ifValidator = `${VALIDATOR ?? 'needs bids-validator-deno (pip) on PATH'}`;

/** Every file below a folder, with slashes. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** File names of a section of the guide, as patterns; names without a folder lie in `folder`. */
async function documented(heading: string, folder = ''): Promise<{ name: string; pattern: RegExp }[]> {
  const guide = await readFile('docs/outputs.md', 'utf8');
  const section = guide.split('\n## ').find((part) => part.startsWith(heading)) ?? '';
  const cells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  return cells.map((cell) => {
    const name = cell.replaceAll('SUB', 'sub-<label>').replaceAll('SES', 'sub-<label>_ses-<label>');
    const source = `${folder}${name}`
      .replace(/[.]/g, '\\.')
      .replace(/\{([^}]*)\}/g, (_, words: string) => `(?:${words.replaceAll(',', '|')})`)
      .replace(/<stack>/g, '[\\w-]+')
      .replace(/<\w+>/g, '[A-Za-z0-9]+')
      .replace(/\*/g, '.*');
    return { name: `${folder}${name}`, pattern: new RegExp(`^${source}$`) };
  });
}

/** Files the guide does not name, and names of the guide that no file has. */
async function compare(files: readonly string[], names: { name: string; pattern: RegExp }[]) {
  return {
    undocumented: files.filter((file) => !names.some(({ pattern }) => pattern.test(file))),
    absent: names.filter(({ pattern }) => !files.some((file) => pattern.test(file))).map(({ name }) => name),
  };
}

describe('a finished cohort as a BIDS derivative', () => {
  let study: Study;
  beforeAll(async () => {
    study = await makeStudy(4);
    const { code, stderr } = await deltaMd('run', study.file);
    expect(code, stderr).toBe(0);
  });
  afterAll(() => removeStudy(study));

  it('writes the files that docs/outputs.md names, and no others', async () => {
    const names = [
      ...(await documented('Per session', 'sub-<label>/ses-<label>/dwi/')),
      ...(await documented('Per subject')),
      ...(await documented('The group')),
    ];
    expect(names.length).toBeGreaterThan(20);
    const { undocumented, absent } = await compare(await filesIn(study.output), names);
    expect(undocumented).toEqual([]);
    // This study is not simulated.
    expect(absent).toEqual(['group_truth.json']);
  });

  it('names in every sidecar what the file was made from, and all of it is there', async () => {
    const files = await filesIn(study.output);
    const images = files.filter(
      (file) => file.endsWith('.nii.gz') && !file.endsWith('_xfm.nii.gz') && !file.includes('/figures/'),
    );
    // Per subject: 7 images of each session, FA on the template, the change.
    expect(images).toHaveLength(4 * (2 * 7 + 2));
    for (const image of images) {
      const sidecar = JSON.parse(
        await readFile(join(study.output, image.replace(/\.nii\.gz$/, '.json')), 'utf8'),
      );
      expect(sidecar.Description, image).toBeTypeOf('string');
      expect(sidecar.Sources.length, image).toBeGreaterThan(0);
      for (const uri of [...sidecar.Sources, sidecar.SpatialReference ?? []].flat()) {
        const [, dataset, path] = /^(bids::|bids:raw:|file:\/\/)(.*)$/.exec(uri) ?? [];
        const at =
          dataset === 'bids::'
            ? join(study.output, path)
            : dataset === 'bids:raw:'
              ? join(study.bids, path)
              : new URL(uri);
        await expect(stat(at), `${uri} of ${image}`).resolves.toBeDefined();
        if (!uri.startsWith('file:')) expect(uri).toContain(image.slice(0, 6));
      }
      if (image.endsWith('_dwimap.nii.gz'))
        expect(sidecar, image).toMatchObject({
          SkullStripped: true,
          Model: { Parameters: { FitMethod: 'wls' } },
        });
      if (image.includes('param-md')) expect(sidecar.Units).toBe('mm^2/s');
      if (image.endsWith('_mask.nii.gz')) expect(sidecar.Type).toBe('Brain');
      if (image.includes('space-')) expect(sidecar.SpatialReference).toMatch(/template\.nii\.gz$/);
    }
    const series = 'sub-02/ses-post/dwi/sub-02_ses-post_desc-preproc_dwi.json';
    expect(JSON.parse(await readFile(join(study.output, series), 'utf8')).Sources).toEqual(
      ['AP', 'PA'].map((dir) => `bids:raw:sub-02/ses-post/dwi/sub-02_ses-post_dir-${dir}_dwi.nii.gz`),
    );
  });

  it('says who made it, and where the raw data are', async () => {
    const about = JSON.parse(await readFile(join(study.output, 'dataset_description.json'), 'utf8'));
    expect(about).toMatchObject({
      DatasetType: 'derivative',
      DatasetLinks: { raw: join('..', '..') },
      GeneratedBy: [{ Name: 'delta-md' }, { Version: expect.any(String) }],
    });
    expect(about.GeneratedBy[1].Name.split(', ')).toEqual(expect.arrayContaining(['eddy', 'topup']));
    // Programs of this machine, no container.
    expect(about.GeneratedBy[1].Container).toBeUndefined();
  });

  it.skipIf(!VALIDATOR)(`passes the official validator: ${ifValidator}`, async () => {
    expect((await officialVerdict(study.output))?.errors).toEqual([]);
  });

  it.skipIf(!VALIDATOR)(`validate tells what the official validator finds: ${ifValidator}`, async () => {
    const verdict = async (...options: string[]) => {
      const { code, stdout } = await deltaMd('validate', study.file, '--json', ...options);
      return { code, bids: JSON.parse(stdout).bids as BidsVerdict | null };
    };
    expect(await verdict()).toEqual({ code: 0, bids: { validator: VALIDATOR, errors: [] } });
    await writeFile(join(study.bids, 'sub-01', 'ses-pre', 'dwi', 'notes.txt'), 'dizzy');
    const { code, bids } = await verdict();
    expect(code).toBe(1);
    expect(bids?.errors).toEqual([
      { code: 'NOT_INCLUDED', count: 1, first: '/sub-01/ses-pre/dwi/notes.txt' },
    ]);
    expect(await verdict('--skip_bids_validation')).toEqual({ code: 0, bids: null });
  });

  it('is exported whole, with every file accounted for', async () => {
    const to = join(study.root, 'for others');
    const words = ['export', study.file, '--to', to, '--spm'];
    const { code, stderr, stdout } = await deltaMd(...words, '--json');
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).subjects).toEqual(['sub-01', 'sub-02', 'sub-03', 'sub-04']);
    const { undocumented, absent } = await compare(await filesIn(to), await documented('delta-md export'));
    expect({ undocumented, absent }).toEqual({ undocumented: [], absent: [] });
    const again = await deltaMd(...words);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--force');
    expect((await deltaMd('export', study.file, '--to', to, '--tables', '--force')).code).toBe(0);
    expect(await filesIn(to)).not.toContain('maps/dmd.nii.gz');
    expect((await deltaMd('export', study.file, '--to', study.bids, '--force')).code).toBe(2);
    expect(await hashFile(join(study.bids, 'participants.tsv'))).toMatch(/^[0-9a-f]{64}$/);
    expect((await deltaMd('export', study.file, '--to', to, '--tables', '--spm')).code).toBe(2);
  });

  it('a BIDS filter file reaches the steps; BIDS-Apps’ names of options are taken', async () => {
    const filter = join(study.root, 'filter.json');
    await writeFile(filter, JSON.stringify({ dwi: { direction: 'AP' }, bold: { task: 'rest' } }));
    const stepsOf = async (...words: string[]) => {
      const { code, stdout, stderr } = await deltaMd('run', study.file, '--plan', '--json', ...words);
      expect(code, stderr).toBe(0);
      const [{ steps, publish }] = JSON.parse(stdout).subjects as Foreseen[];
      return { names: new Set(steps.map(({ step }) => step)), publish };
    };
    const words = ['--participant_label', '02', '--nprocs', '1'];
    const all = await stepsOf(...words);
    expect([...all.names]).toContain('topup');
    expect(all.publish).toBe(false);
    const filtered = await stepsOf(...words, '--bids_filter_file', filter);
    expect([...filtered.names]).not.toContain('topup');
    expect(filtered.publish).toBe(true);
    await writeFile(filter, JSON.stringify({ dwi: { direktion: 'AP' } }));
    const wrong = await deltaMd('run', study.file, '--plan', '--bids-filter-file', filter);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('dwi.direktion');
  });
});

it.skipIf(!VALIDATOR)(`a simulated dataset passes the official validator: ${ifValidator}`, async () => {
  const root = await mkdtemp(join(tmpdir(), 'delta-md-simulated-'));
  const size = ['--vehicle', '1', '--ketamine', '1', '--voxel-size', '8', '--directions', '6', '--b0s', '1'];
  const { code, stderr } = await deltaMd('simulate', root, '--json', ...size);
  expect(code, stderr).toBe(0);
  expect((await officialVerdict(join(root, 'bids')))?.errors).toEqual([]);
  await rm(root, { recursive: true });
});
