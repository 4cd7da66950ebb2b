/** The built-in tools, all of them, on a simulated subject: as processes and in the toolkit's own image, bit for bit. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROFILES } from '../../config/profiles.ts';
import { LABEL } from '../../containers/container.ts';
import { EngineRuntime } from '../../containers/docker.ts';
import { buildToolkitImage } from '../../containers/toolkit-image.ts';
import { toolsOf } from '../../pipeline/fsl-versions.ts';
import { dockerEngine } from './docker.ts';
import { buildSif, heldBy, isOnPath, reasonAgainst, startEngine } from './engines.ts';
import { deltaMd, makeStudy, removeStudy, type Study } from './harness.ts';

const IMAGE = 'delta-md-test-toolkit:1';
const BUNDLE = fileURLToPath(new URL('../../dist/toolkit', import.meta.url));
const docker = await dockerEngine();

describe('a simulated subject through the built-in tools', { timeout: 600_000 }, () => {
  let root: string;
  let table: string;

  /** Runs the study with the given runtime; outputs and results by content of its own. */
  async function run(
    name: string,
    runtime: string,
  ): Promise<{ code: number | null; table: string; stderr: string }> {
    const text = await readFile(join(root, 'study.yaml'), 'utf8');
    const file = join(root, `${name}.yaml`);
    await writeFile(
      file,
      `${text.replace('work: ./work', `work: ./work-${name}`)}output: ./${name}\nruntime: ${runtime}\n`,
    );
    const { code, stderr } = await deltaMd('run', file, '--json');
    return {
      code,
      stderr,
      table: await readFile(join(root, name, 'group_roi_md.tsv'), 'utf8').catch(() => ''),
    };
  }

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'delta-md sim '));
    // Coarse and short: what is tested is that every tool does its job here as there.
    const options = [
      '--vehicle',
      '1',
      '--ketamine',
      '1',
      '--voxel-size',
      '5',
      '--directions',
      '8',
      '--b0s',
      '1',
    ];
    const { code, stderr } = await deltaMd('simulate', root, '--json', ...options);
    expect(code, stderr).toBe(0);
    await writeFile(
      join(root, 'study.yaml'),
      `${await readFile(join(root, 'study.yaml'), 'utf8')}exclude: { sub-02: one is enough here }\n`,
    );
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('goes all the way as processes', async () => {
    const ended = await run('process', '{ kind: process }');
    expect(ended.code, ended.stderr).toBe(0);
    table = ended.table;
    const rows = table
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t'));
    expect(rows).toHaveLength(2 * 7);
    // Tissue between white matter and what 5 mm voxels mix with fluid.
    for (const [, , roi, md] of rows) {
      expect(Number(md), roi).toBeGreaterThan(0.6e-3);
      expect(Number(md), roi).toBeLessThan(1.6e-3);
    }
  });

  it('gives the same as a script in a shell, bit for bit, without leaving anything elsewhere', async () => {
    const { code, stdout, stderr } = await deltaMd('run', join(root, 'process.yaml'), '--dry-run');
    expect(code, stderr).toBe(0);
    const script = join(root, 'script.sh');
    await writeFile(script, stdout);
    const out = join(root, 'by hand');
    execFileSync('bash', [script], {
      env: { PATH: `${BUNDLE}/bin:${dirname(process.execPath)}:/usr/bin:/bin`, OUT: out },
      stdio: 'ignore',
    });
    const maps = execFileSync('find', [out, '-name', 'dti_MD.nii.gz', '-o', '-path', '*_md_*/warped.nii.gz']);
    const published = join(root, 'process', 'sub-01');
    for (const map of maps.toString().trim().split('\n')) {
      const session = /ses[-_](baseline|24h)/.exec(map)![1];
      const folder = join(published, `ses-${session}`, 'dwi');
      const isNative = map.endsWith('dti_MD.nii.gz');
      const name = (await readdir(folder)).find(
        (file) => file.endsWith('param-md_dwimap.nii.gz') && file.includes('_space-') !== isNative,
      );
      const made = await readFile(join(folder, name!));
      expect(made.equals(await readFile(map)), name).toBe(true);
    }
    expect(maps.toString().trim().split('\n')).toHaveLength(4);
  });

  it.skipIf(!docker)('gives the same in containers, to the last digit, and leaves none behind', async () => {
    if (!docker) return;
    await buildToolkitImage(docker, IMAGE, BUNDLE, 'delta-md toolkit test');
    const ended = await run('docker', `{ kind: docker, image: "${IMAGE}" }`);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.table).toBe(table);
    const left = await docker.listContainers({ all: true, filters: { label: [LABEL] } });
    // Those of the runtimes' own suite, which may run beside this one, are named otherwise.
    expect(left.filter(({ Names }) => Names.some((name) => /^\/delta-md-[0-9a-f]/.test(name)))).toEqual([]);
    const steps = JSON.parse(await readFile(join(root, 'docker', 'logs', 'sub-01_steps.json'), 'utf8'));
    const image = await docker.getImage(IMAGE).inspect();
    for (const step of steps) expect(step).toMatchObject({ runtime: 'docker', tool: { digest: image.Id } });
    expect(steps.some(({ cpuSeconds }: { cpuSeconds?: number }) => (cpuSeconds ?? 0) > 0)).toBe(true);
  });

  it.skipIf(reasonAgainst('podman'))('gives the same in Podman, over a socket of its own', async () => {
    const engine = await startEngine('podman');
    try {
      await buildToolkitImage(engine.docker, IMAGE, BUNDLE, 'delta-md toolkit test');
      const before = await heldBy(engine.docker);
      const runtime = `{ kind: podman, image: "${IMAGE}", socket: "${engine.socket}" }`;
      const ended = await run('podman', runtime);
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.table).toBe(table);
      expect(await heldBy(engine.docker)).toEqual(before);
    } finally {
      await engine.dispose();
    }
  });

  it.skipIf(!isOnPath('apptainer'))(
    'gives the same in Apptainer, and doctor says so beforehand',
    async () => {
      await buildSif(BUNDLE, join(root, 'toolkit.sif'));
      const ended = await run('apptainer', '{ kind: apptainer, image: ./toolkit.sif }');
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.table).toBe(table);
      const doctor = await deltaMd('doctor', join(root, 'apptainer.yaml'), '--json');
      expect(JSON.parse(doctor.stdout).checks.at(-1)).toMatchObject({ state: 'ok' });
    },
  );
});

/** A file system like that of an FSL image: programs that only have to be there, and the file with the version. */
async function fslFolder(root: string, version: string, eddy: string): Promise<void> {
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'etc'));
  for (const tool of [...toolsOf(PROFILES.modern).filter((name) => name !== 'eddy'), 'mcflirt', eddy])
    await writeFile(join(root, 'bin', tool), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(root, 'etc', 'fslversion'), `${version}\n`);
}

describe('an FSL that a study names', () => {
  let study: Study;
  const write = async (profile: string, runtime: string): Promise<string> => {
    const text = await readFile(study.file, 'utf8');
    const file = join(study.root, 'fsl.yaml');
    await writeFile(file, `${text.replace(/^runtime: .*$/m, `runtime: ${runtime}`)}profile: ${profile}\n`);
    return file;
  };
  const lastCheck = async (file: string) => {
    const { stdout, code } = await deltaMd('doctor', file, '--json');
    const checks: { what: string; state: string; found: string; remedy?: string }[] =
      JSON.parse(stdout).checks;
    return { code, checks: checks.filter(({ what }) => what.startsWith('Tools of')) };
  };

  beforeAll(async () => {
    study = await makeStudy(1);
    await fslFolder(join(study.root, 'fsl'), '5.0.9', 'eddy_openmp');
  });
  afterAll(() => removeStudy(study));

  it('is looked into by doctor: right for one profile, too old for another', async () => {
    const fits = await lastCheck(await write('fsl-5.0', '{ kind: process, fslDir: ./fsl }'));
    expect(fits.checks).toMatchObject([{ state: 'ok', found: expect.stringContaining('FSL 5.0.9') }]);
    const old = await lastCheck(await write('modern', '{ kind: process, fslDir: ./fsl }'));
    expect(old.code).toBe(3);
    expect(old.checks).toMatchObject([
      {
        state: 'missing',
        found: expect.stringContaining('--cnr_maps'),
        remedy: expect.stringContaining('newer'),
      },
    ]);
  });

  it.skipIf(!docker)('is read from inside an image, with its digest and size, and pinned by it', async () => {
    if (!docker) return;
    const image = 'delta-md-test-fsl:1';
    const tar = execFileSync('tar', ['--create', '--directory', study.root, 'fsl']);
    const options = { changes: ['ENV FSLDIR=/fsl PATH=/fsl/bin'] };
    const said = await docker.importImage(Readable.from([tar]) as unknown as string, options);
    const events = await new Promise<{ status?: string }[]>((resolve) =>
      docker.modem.followProgress(said, (_, all) => resolve(all)),
    );
    const id = events.map(({ status }) => /sha256:[0-9a-f]{64}/.exec(status ?? '')?.[0]).find(Boolean)!;
    await docker.getImage(id).tag({ repo: 'delta-md-test-fsl', tag: '1' });
    try {
      const file = await write('fsl-5.0', `{ kind: docker, image: "${image}" }`);
      const listed = await deltaMd('images', 'list', file, '--json');
      expect(JSON.parse(listed.stdout)).toMatchObject({ image, digest: id, version: 'FSL 5.0.9' });
      expect((await lastCheck(file)).checks).toMatchObject([{ state: 'ok' }]);
      const byDigest = await deltaMd(
        'images',
        'list',
        await write('fsl-5.0', `{ kind: docker, image: "${id}" }`),
      );
      expect(byDigest.stdout).toContain(id);
      const runtime = new EngineRuntime('docker', image, {}, docker);
      // Which eddy it is belongs to what a result depends on.
      expect(await runtime.identify('eddy')).toEqual({
        digest: `${id} eddy_openmp`,
        version: 'FSL 5.0.9, eddy_openmp',
      });
      expect(await runtime.identify('topup')).toEqual({ digest: id, version: 'FSL 5.0.9' });
    } finally {
      await docker.getImage(image).remove({ force: true });
    }
    const gone = await deltaMd(
      'images',
      'list',
      await write('fsl-5.0', `{ kind: docker, image: "${image}" }`),
    );
    expect(gone.code).toBe(3);
    expect(gone.stderr).toContain('delta-md images pull');
  });
});
