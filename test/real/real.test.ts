/**
 * The real scans through the whole road, beside FSL's own results for them. `npm test` takes canon; `npm run real`
 * takes all three, at full size. Results stay in delta-md-real/ for looking at.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTable } from '../../config/tables.ts';
import { readImage } from '../../imaging/nifti.ts';
import { correlation, median } from '../accuracy/measures.ts';
import { deltaMd, type Ended } from '../integration/harness.ts';
import {
  hasRealData,
  REFERENCE,
  type RealName,
  ROI_IMAGE,
  ROI_NAMES,
  realStudy,
  TEMPLATE,
} from './studies.ts';

const ALL = process.env['REAL'] === 'all';
const MINUTES = 60_000;

if (!hasRealData) console.warn('\n*** SKIPPED: no real scans beside the repository (../shared/data). ***\n');

async function folderFor(name: RealName): Promise<string> {
  return ALL ? resolve('delta-md-real', name) : mkdtemp(join(tmpdir(), `delta-md-${name}-`));
}

const NAME = `FMRIB58FA1mm`;
const map = (folder: string, session: string | undefined, param: string) =>
  readImage(
    join(
      folder,
      'results/sub-01',
      ...(session ? [`ses-${session}`] : []),
      'dwi',
      `sub-01${session ? `_ses-${session}` : ''}_space-${NAME}_model-tensor_param-${param}_dwimap.nii.gz`,
    ),
  );

/** Median MD of white matter: FA above 0.35 in template space. mm2/s. */
async function whiteMatterMd(folder: string, session?: string, faOf = session): Promise<number> {
  const [fa, md] = [await map(folder, faOf, 'fa'), await map(folder, session, 'md')];
  return median(md.data.filter((value, i) => fa.data[i] > 0.35 && value > 0));
}

describe.skipIf(!hasRealData)('canon: one head, two sessions, AP and PA', () => {
  let folder: string;
  let run: Ended;
  beforeAll(async () => {
    folder = await folderFor('canon');
    run = await deltaMd('run', await realStudy('canon', folder), '--json');
  }, 30 * MINUTES);
  afterAll(async () => {
    if (!ALL) await rm(folder, { recursive: true, force: true });
  });

  it('goes all the way', () => {
    expect(run.stderr.slice(-2000)).toContain('1 done, 0 failed');
    expect(run.code).toBe(0);
  });

  it('says what the study file supplied because sidecars were silent', async () => {
    const report = await readFile(join(folder, 'results', 'report.html'), 'utf8');
    expect(report).toContain('is from the study file (acquisition.AP)');
  });

  it('agrees with FSL: white matter and regions within 5 %', async () => {
    const { table } = await readTable(join(REFERENCE, 'canon', 'roi_md.tsv'));
    const { table: ours } = await readTable(join(folder, 'results', 'group_roi_md.tsv'));
    const rows: {
      what: string;
      session: string;
      fsl: number;
      here: number;
      per_cent: number;
      coverage: string;
    }[] = [];
    for (const [session, fsl] of [
      ['1', 0.663e-3],
      ['2', 0.685e-3],
    ] as const) {
      const here = await whiteMatterMd(folder, session, '1');
      rows.push({ what: 'white matter', session, fsl, here, per_cent: 100 * (here / fsl - 1), coverage: '' });
    }
    for (const { cells } of table.rows) {
      const mine = ours.rows.find(
        (r) => r.cells['session'] === `ses-${cells['session']}` && r.cells['roi'] === cells['roi'],
      );
      const [fsl, here] = [Number(cells['mean_md']), Number(mine?.cells['md'])];
      rows.push({
        what: cells['roi'],
        session: cells['session'],
        fsl,
        here,
        per_cent: 100 * (here / fsl - 1),
        coverage: `${Number(mine?.cells['coverage']).toFixed(2)} (FSL ${Number(cells['coverage']).toFixed(2)})`,
      });
    }
    console.table(
      rows.map((r) => ({
        ...r,
        fsl: (r.fsl * 1e3).toFixed(4),
        here: (r.here * 1e3).toFixed(4),
        per_cent: r.per_cent.toFixed(2),
      })),
    );
    expect(rows).toHaveLength(2 + 2 * ROI_NAMES.length);
    for (const { what, session, per_cent } of rows)
      expect(Math.abs(per_cent), `${what} ses-${session}`).toBeLessThan(5);
  });

  it('registers: FA in template space correlates with the template', async () => {
    const [fa, template] = [await map(folder, '1', 'fa'), await readImage(TEMPLATE)];
    const r = correlation(fa.data, template.data, template.data);
    console.log(`FA against ${NAME}: r = ${r.toFixed(3)} (FSL 0.923)`);
    expect(r).toBeGreaterThan(0.88);
  });

  it('gives a change for each region', async () => {
    const { table } = await readTable(join(folder, 'results', 'group_dmd.tsv'));
    expect(table.rows.map((row) => row.cells['roi'])).toEqual(ROI_NAMES);
    for (const { cells } of table.rows) expect(Math.abs(Number(cells['dmd']))).toBeLessThan(2e-4);
  });
});

describe.skipIf(!hasRealData || !ALL).each([
  ['philips', /topup only/],
  ['philips-32dir', /topup is skipped/],
] as [RealName, RegExp][])('%s', (name, note) => {
  let folder: string;
  let run: Ended;
  beforeAll(async () => {
    folder = await folderFor(name);
    run = await deltaMd('run', await realStudy(name, folder), '--json');
  }, 60 * MINUTES);

  it('goes all the way, and says what was not done', async () => {
    expect(run.code, run.stderr.slice(-2000)).toBe(0);
    expect(await readFile(join(folder, 'results', 'report.html'), 'utf8')).toMatch(note);
  });

  it('gives white matter the diffusivity of white matter', async () => {
    const md = await whiteMatterMd(folder);
    const { table } = await readTable(join(folder, 'results', 'group_roi_md.tsv'));
    console.table(table.rows.map(({ cells }) => cells));
    console.log(`${name}: white-matter MD ${(md * 1e3).toFixed(4)}e-3 mm2/s; regions on ${ROI_IMAGE}`);
    // Healthy adults at b = 1000 s/mm2: 0.65 to 0.85e-3.
    expect(md).toBeGreaterThan(0.6e-3);
    expect(md).toBeLessThan(0.9e-3);
  });
});
