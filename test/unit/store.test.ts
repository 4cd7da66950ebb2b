import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordsBehind } from '../../activities/provenance.ts';
import { hashFile, keyOf, type StepRecord, Store } from '../../activities/store.ts';
import type { StepRun } from '../../pipeline/step.ts';

const TOOL = { digest: 'sha256:tool', version: 'tool 1' };
const RUN: StepRun = {
  name: 'mean',
  argv: ['fslmaths', 'in/series.nii.gz', '-Tmean', 'mean'],
  inputs: { 'in/series.nii.gz': { path: '/data/a.nii.gz', sha256: 'aa' } },
  outputs: { mean: 'mean.nii.gz' },
  resources: { cpus: 1, memoryMiB: 100, minutes: 1 },
};

describe('keys', () => {
  const key = keyOf(RUN, TOOL);
  it('do not depend on where an input lies, nor on what a step may use', () => {
    const moved = { ...RUN, inputs: { 'in/series.nii.gz': { path: '/other/b.nii.gz', sha256: 'aa' } } };
    expect(keyOf(moved, TOOL)).toBe(key);
    expect(keyOf({ ...RUN, resources: { cpus: 8, memoryMiB: 1, minutes: 9 } }, TOOL)).toBe(key);
  });
  it.each([
    ['content', { ...RUN, inputs: { 'in/series.nii.gz': { path: '/data/a.nii.gz', sha256: 'bb' } } }, TOOL],
    ['argv', { ...RUN, argv: [...RUN.argv, '-odt', 'float'] }, TOOL],
    ['tool', RUN, { ...TOOL, digest: 'sha256:other' }],
    ['outputs', { ...RUN, outputs: { mean: 'm.nii.gz' } }, TOOL],
  ])('depend on the %s', (_, run, tool) => {
    expect(keyOf(run, tool)).not.toBe(key);
  });
});

describe('store', () => {
  let root: string;
  let store: Store;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'store ü '));
    store = new Store(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  async function finish(
    key: string,
    content: string,
    inputs: StepRecord['inputs'] = {},
  ): Promise<StepRecord> {
    const folder = await store.openScratch(key);
    await writeFile(join(folder, 'out.txt'), content);
    return {
      key,
      step: 'probe',
      argv: ['probe'],
      tool: TOOL,
      runtime: 'process',
      inputs,
      outputs: {
        out: { file: 'out.txt', sha256: await hashFile(join(folder, 'out.txt')), bytes: content.length },
      },
      host: 'h',
      started: '2026-01-01T00:00:00.000Z',
      seconds: 1,
      exitCode: 0,
    };
  }

  it('shows a result only once it is whole', async () => {
    const record = await finish('abcd', 'x');
    expect(await store.find('abcd')).toBeUndefined();
    await store.publish(record);
    expect(await store.find('abcd')).toEqual(record);
    expect(await readFile(store.outputs(record)['out'].path, 'utf8')).toBe('x');
    expect(await readdir(join(root, 'scratch'))).toEqual([]);
  });

  it('keeps the first of two equal results', async () => {
    await store.publish(await finish('abcd', 'first'));
    await store.publish(await finish('abcd', 'first'));
    expect(await readFile(join(store.folder('abcd'), 'out.txt'), 'utf8')).toBe('first');
  });

  it('takes a result that lost bytes for none, so that it is made again', async () => {
    await store.publish(await finish('abcd', 'long content'));
    await writeFile(join(store.folder('abcd'), 'out.txt'), 'short');
    expect(await store.find('abcd')).toBeUndefined();
    await store.publish(await finish('abcd', 'long content'));
    expect(await store.find('abcd')).toBeDefined();
  });

  it('clears what a killed attempt left in scratch', async () => {
    await mkdir(store.scratch('abcd'), { recursive: true });
    await writeFile(join(store.scratch('abcd'), 'half'), 'x');
    await store.openScratch('abcd');
    expect(await readdir(store.scratch('abcd'))).toEqual([]);
  });

  it('names a text by its content', async () => {
    const a = await store.putText('index.txt', '1 1 2 2\n');
    expect(a.sha256).toBe(await hashFile(a.path));
    expect(await store.putText('index.txt', '1 1 2 2\n')).toEqual(a);
    expect((await store.putText('index.txt', '1 2\n')).path).not.toBe(a.path);
  });

  it('takes one text from many writers at once', async () => {
    const refs = await Promise.all(Array.from({ length: 50 }, () => store.putText('index.txt', '1 1 2 2\n')));
    expect(new Set(refs.map((ref) => ref.path)).size).toBe(1);
    expect(await readFile(refs[0].path, 'utf8')).toBe('1 1 2 2\n');
    expect(await readdir(join(refs[0].path, '..'))).toEqual(['index.txt']);
  });

  it('leads from a result back to every step behind it, in order', async () => {
    const first = await finish('1111', 'one');
    await store.publish(first);
    const second = await finish('2222', 'two', { 'in/a': store.outputs(first)['out'] });
    await store.publish(second);
    const third = await finish('3333', 'three', {
      'in/a': store.outputs(first)['out'],
      'in/b': store.outputs(second)['out'],
      'in/raw': { path: '/data/raw.nii.gz', sha256: 'raw' },
    });
    await store.publish(third);
    const keys = (await recordsBehind([store.outputs(third)['out']])).map((record) => record.key);
    expect(keys).toEqual(['1111', '2222', '3333']);
  });
});
