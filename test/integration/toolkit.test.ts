/** The built-in tools, all of them, on a simulated subject: as processes and in the toolkit's own image, bit for bit. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LABEL } from '../../containers/docker.ts';
import { buildToolkitImage } from '../../containers/toolkit-image.ts';
import { dockerEngine } from './docker.ts';
import { deltaMd } from './harness.ts';

const IMAGE = 'delta-md-test-toolkit:1';
const BUNDLE = fileURLToPath(new URL('../../dist/toolkit', import.meta.url));
const docker = await dockerEngine();

describe('a simulated subject through the built-in tools', () => {
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
  });
});
