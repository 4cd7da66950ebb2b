/** Templates and atlases that a study takes from an FSL: installed here, or inside an image of each kind. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readImage } from '../../imaging/nifti.ts';
import { heldBy, isOnPath, reasonAgainst, startEngine } from './engines.ts';
import { deltaMd, makeStudy, removeStudy, type Study } from './harness.ts';

const ATLAS = 'HarvardOxford-sub-maxprob-thr25-1mm';
const XML = `<?xml version="1.0" encoding="ISO-8859-1"?>
<atlas><header><type>Probabilistic</type><images>
<imagefile>/HarvardOxford/HarvardOxford-sub-prob-1mm</imagefile>
<summaryimagefile>/HarvardOxford/${ATLAS}</summaryimagefile></images></header>
<data><label index="0" x="0" y="0" z="0">Left Hippocampus</label>
<label index="1" x="0" y="0" z="0">Right Hippocampus</label></data></atlas>`;

let study: Study;
/** An FSL with the study's own stand-in tools, template and regions; its data folder is a link, as Debian has it. */
let fsl: string;

beforeAll(async () => {
  study = await makeStudy(2);
  fsl = join(study.root, 'fsl');
  const data = join(fsl, 'share', 'fsl');
  await mkdir(join(data, 'atlases', 'HarvardOxford'), { recursive: true });
  await mkdir(join(data, 'standard'));
  await mkdir(join(fsl, 'etc'));
  await writeFile(join(fsl, 'etc', 'fslversion'), '5.0.9\n');
  await symlink('share/fsl', join(fsl, 'data'));
  await cp(join(study.root, 'template.nii.gz'), join(data, 'standard', 'FA-0.5.nii.gz'));
  await symlink('FA-0.5.nii.gz', join(data, 'standard', 'FMRIB58_FA_1mm.nii.gz'));
  await cp(join(study.root, 'rois.nii.gz'), join(data, 'atlases', 'HarvardOxford', `${ATLAS}.nii.gz`));
  await writeFile(join(data, 'atlases', 'HarvardOxford-Subcortical.xml'), XML);
  await cp(study.tools, fsl, { recursive: true, verbatimSymlinks: true });
});
afterAll(() => removeStudy(study));

/** The study with another runtime, its template and regions FSL's; a work folder of its own. */
async function written(name: string, runtime: string): Promise<string> {
  const text = (await readFile(study.file, 'utf8'))
    .replace(/^template: .*$/m, 'template: fsl:FMRIB58_FA_1mm')
    .replace(
      /^rois: .*$/m,
      `rois:\n  image: fsl:${ATLAS}\n  regions:\n    left: { label: Left Hippocampus, limits: { z: [-9, 0] } }\n    right: { label: Right*, limits: { z: [-9, 1] } }`,
    )
    .replace(/^runtime: .*$/m, `runtime: ${runtime}`);
  const file = join(study.root, `${name}.yaml`);
  await writeFile(file, `${text}work: ./work-${name}\noutput: ./out-${name}\n`);
  return file;
}

describe('an FSL on this machine', { timeout: 120_000 }, () => {
  it('gives template and regions to a run, all the way into the tables', async () => {
    const file = await written('process', '{ kind: process, fslDir: ./fsl }');
    const ended = await deltaMd('run', file, '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const table = await readFile(join(study.root, 'out-process', 'group_roi_md.tsv'), 'utf8');
    const regions = table
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t')[2]);
    expect([...new Set(regions)].sort()).toEqual(['left', 'right']);
    expect(regions).toHaveLength(2 * 2 * 2);
    // Nothing is copied from an FSL that is here.
    expect(await readdir(join(study.root, 'work-process', 'atlases'))).toHaveLength(1);
  });
});

/** Checks that a study finds what it asks of the FSL inside an image, and that it is a whole copy. */
async function expectFound(name: string, runtime: string): Promise<void> {
  const file = await written(name, runtime);
  const { stdout, stderr } = await deltaMd('doctor', file, '--json');
  const checks: { what: string; state: string; found: string }[] = JSON.parse(stdout).checks;
  const check = checks.find(({ what }) => what.startsWith('Template and regions'));
  expect(check, stderr).toMatchObject({ state: 'ok', found: expect.stringContaining('2 regions') });
  const atlases = join(study.root, `work-${name}`, 'atlases');
  const copies = (await readdir(atlases, { recursive: true })).map((path) => path.split('/').at(-1));
  expect(copies).toContain('FMRIB58_FA_1mm.nii.gz');
  const copied = /^(\S.*?);/.exec(check!.found)![1];
  expect(await readFile(copied)).toEqual(await readFile(join(study.root, 'template.nii.gz')));
  const drawn = await readImage(/in (.*)$/.exec(check!.found)![1]);
  // z of the six slices is -9, -6, ... 6 mm: label 1 is in the first two slices, label 2 in the next two.
  const counts = [1, 2].map((label) => drawn.data.filter((value) => value === label).length);
  expect(counts).toEqual([60, 60]);
  const valid = await deltaMd('validate', file);
  expect(valid.code, valid.stderr).toBe(0);
  const wrong = (await readFile(file, 'utf8')).replace('FMRIB58_FA_1mm', 'FMRIB58_FA_2mm');
  await writeFile(file, wrong);
  const refused = await deltaMd('validate', file);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/has no template or atlas FMRIB58_FA_2mm\n.*Did you mean "FMRIB58_FA_1mm"/);
}

async function importFsl(docker: Docker, tag: string): Promise<void> {
  const tar = execFileSync('tar', ['--create', '--directory', study.root, 'fsl']);
  const options = { changes: ['ENV FSLDIR=/fsl', 'ENV PATH=/fsl/bin'] };
  const said = await docker.importImage(Readable.from([tar]) as unknown as string, options);
  const events = await new Promise<{ status?: string }[]>((resolve) =>
    docker.modem.followProgress(said, (_, all) => resolve(all)),
  );
  const id = events.map(({ status }) => /sha256:[0-9a-f]{64}/.exec(status ?? '')?.[0]).find(Boolean)!;
  await docker.getImage(id).tag({ repo: 'delta-md-test-atlas', tag });
}

describe.each(['docker', 'podman'] as const)('an FSL in an image of %s', { timeout: 120_000 }, (kind) => {
  it.skipIf(reasonAgainst(kind))('gives them without being run, and no container is left', async () => {
    const engine = await startEngine(kind);
    try {
      await importFsl(engine.docker, '1');
      const before = await heldBy(engine.docker);
      const image = 'delta-md-test-atlas:1';
      await expectFound(kind, `{ kind: ${kind}, image: "${image}", socket: "${engine.socket}" }`);
      expect(await heldBy(engine.docker)).toEqual(before);
    } finally {
      await engine.dispose();
    }
  });
});

describe('an FSL in an image of apptainer', { timeout: 120_000 }, () => {
  it.skipIf(!isOnPath('apptainer'))('gives them', async () => {
    // The few programs an image is asked by, with what they link.
    const root = join(study.root, 'sif');
    const programs = ['/bin/cat', '/bin/ls', '/usr/bin/find', '/usr/bin/printenv', '/bin/true'];
    const linked = execFileSync('ldd', programs, { encoding: 'utf8' });
    const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]);
    for (const file of new Set([...programs, ...libraries]))
      await cp(file, join(root, file), { dereference: true });
    await cp(fsl, join(root, 'fsl'), { recursive: true, verbatimSymlinks: true });
    await mkdir(join(root, '.singularity.d', 'env'), { recursive: true });
    await writeFile(
      join(root, '.singularity.d', 'env', '90-environment.sh'),
      'export FSLDIR=/fsl PATH=/fsl/bin:/usr/bin:/bin\n',
      { mode: 0o755 },
    );
    execFileSync('apptainer', ['build', join(study.root, 'fsl.sif'), root], { stdio: 'ignore' });
    await rm(root, { recursive: true });
    await expectFound('apptainer', '{ kind: apptainer, image: ./fsl.sif }');
  });
});
