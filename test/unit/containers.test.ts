import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apptainerArgs, mountOption } from '../../containers/apptainer.ts';
import { containerSpec } from '../../containers/container-spec.ts';
import { podmanSocket } from '../../containers/engine.ts';
import { realInputs } from '../../containers/inputs.ts';
import { LOG_HEAD_BYTES, LOG_TAIL_BYTES, logSink } from '../../containers/log-sink.ts';
import { type Execution, ended } from '../../containers/runtime.ts';

const STEP: Execution = {
  id: 'delta-md-1234',
  argv: ['eddy', '--imain=in/dwi.nii.gz'],
  folder: '/work/scratch/1234',
  inputs: {},
  cpus: 2,
  memoryMiB: 1024,
  seconds: 60,
  log: '/work/scratch/1234/log.txt',
  onLine: () => {},
};
const INPUTS = [['in/dwi.nii.gz', '/data/a,b/dwi.nii.gz']] as const;

describe('what an engine is told', () => {
  const user = { uid: 1000, gid: 100 };
  const spec = (
    kind: 'docker' | 'podman',
    mapping: Parameters<typeof containerSpec>[5]['mapping'],
    gpu = false,
  ) =>
    containerSpec(kind, 'sha256:1', STEP, ['eddy_cpu', '--nthr=2'], kind === 'docker' ? INPUTS : [], {
      mapping,
      user,
      gpu,
    });

  it('locks a container down', () => {
    expect(spec('docker', 'same')).toEqual({
      name: 'delta-md-1234',
      Image: 'sha256:1',
      Entrypoint: ['eddy_cpu'],
      Cmd: ['--nthr=2'],
      WorkingDir: '/work',
      User: '1000:100',
      Env: ['HOME=/work', 'LANG=C.UTF-8', 'FSLOUTPUTTYPE=NIFTI_GZ', 'OMP_NUM_THREADS=2'],
      Labels: { 'delta-md': 'delta-md-1234' },
      AttachStdout: true,
      AttachStderr: true,
      HostConfig: {
        NetworkMode: 'none',
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        PidsLimit: 512,
        Memory: 2 ** 30,
        MemorySwap: 2 ** 30,
        NanoCpus: 2e9,
        LogConfig: { Type: 'none', Config: {} },
        Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=1g', '/work/in': 'rw,nosuid,nodev,size=1m' },
        Mounts: [
          { Type: 'bind', Source: '/work/scratch/1234', Target: '/work', ReadOnly: false },
          { Type: 'bind', Source: '/data/a,b/dwi.nii.gz', Target: '/work/in/dwi.nii.gz', ReadOnly: true },
        ],
      },
    });
  });

  it('maps the caller however the engine runs', () => {
    expect(spec('docker', 'caller-is-root').User).toBe('0:0');
    expect(spec('docker', 'remapped').HostConfig).toMatchObject({ UsernsMode: 'host' });
    expect(spec('podman', 'keep-id')).toMatchObject({
      User: '1000:100',
      HostConfig: { UsernsMode: 'keep-id' },
    });
  });

  it('asks for GPUs in the words of each engine', () => {
    expect(spec('docker', 'same', true).HostConfig?.DeviceRequests).toEqual([
      { Driver: '', Count: -1, Capabilities: [['gpu']] },
    ]);
    expect(spec('podman', 'same', true).HostConfig?.Devices).toEqual([
      { PathOnHost: 'nvidia.com/gpu=all', PathInContainer: 'nvidia.com/gpu=all', CgroupPermissions: '' },
    ]);
  });

  it('gives Podman no path that could be read as further options', () => {
    for (const path of ['/data/a,dst=/etc', '/data/a"b', '/data/a\nb'])
      expect(() =>
        containerSpec('podman', 'i', STEP, ['bet'], [['in/x', path]], { mapping: 'same', user, gpu: false }),
      ).toThrow(/comma, quote or line break/);
  });
});

describe('what apptainer is told', () => {
  const isolation = '--containall --cleanenv --no-home --no-privs --net --network none'.split(' ');
  it('is the whole command, for any shell to repeat', () => {
    expect(apptainerArgs('/i.sif', STEP, ['eddy', '-v'], INPUTS, { cgroups: false })).toEqual([
      '--silent',
      'exec',
      ...isolation,
      ...'--env LANG=C.UTF-8 --env FSLOUTPUTTYPE=NIFTI_GZ --env OMP_NUM_THREADS=2 --pwd /work'.split(' '),
      '--mount',
      'type=bind,source=/work/scratch/1234,destination=/work',
      '--mount',
      'type=bind,"source=/data/a,b/dwi.nii.gz",destination=/work/in/dwi.nii.gz,ro',
      '/i.sif',
      'eddy',
      '-v',
    ]);
  });

  it('has limits where control groups can be used, FSLDIR where it is named, GPUs where asked for', () => {
    const options = { cgroups: true, gpu: true, fslDir: '/opt/fsl' };
    const words = apptainerArgs('/i.sif', STEP, ['eddy'], [], options).join(' ');
    expect(words).toContain('--nv --memory 1024M --memory-swap 1024M --cpus 2 --pids-limit 512');
    expect(words).toContain('--env FSLDIR=/opt/fsl');
    expect(words).toContain('--env PATH=/opt/fsl/bin:');
  });

  it('quotes mounts as CSV: any name without a line break comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const source = `/data/${name.replaceAll(/[\r\n]/g, '')}`;
        const [fields] = parse(mountOption(source, '/work/in/x', true)) as string[][];
        expect(fields).toEqual(['type=bind', `source=${source}`, 'destination=/work/in/x', 'ro']);
      }),
    );
    expect(() => mountOption('/data/a\nb', '/x', true)).toThrow(/line break/);
  });
});

describe('inputs', () => {
  let root: string;
  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'delta-md-')));
    for (const folder of ['bids', 'bids-2', 'archive']) await mkdir(join(root, folder));
    for (const file of ['bids/a.nii', 'bids-2/b.nii', 'archive/c.nii'])
      await writeFile(join(root, file), 'x');
    await symlink('../archive/c.nii', join(root, 'bids', 'link.nii'));
    await symlink('a.nii', join(root, 'bids', 'near.nii'));
    await symlink('bids', join(root, 'study'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));
  const of = (path: string, ...roots: string[]) =>
    realInputs(
      { 'in/x.nii': join(root, path) },
      roots.map((name) => join(root, name)),
    ).then(([[, source]]) => source.slice(root.length + 1));

  it('are the real files, links followed', async () => {
    expect(await of('bids/a.nii', 'bids')).toBe('bids/a.nii');
    expect(await of('bids/near.nii', 'bids')).toBe('bids/a.nii');
    expect(await of('study/near.nii', 'study')).toBe('bids/a.nii');
    expect(await of('bids/link.nii', 'bids', 'archive')).toBe('archive/c.nii');
    expect(await of('bids/link.nii')).toBe('archive/c.nii');
  });

  it('never lead out of the folders of the study', async () => {
    await expect(of('bids/link.nii', 'bids')).rejects.toMatchObject({
      failure: { code: 'CONFIG_INVALID', remedy: expect.stringContaining('runtime.roots') },
    });
    // Neither by a name that begins alike, nor by dots.
    await expect(of('bids-2/b.nii', 'bids')).rejects.toMatchObject({ failure: { code: 'CONFIG_INVALID' } });
    await expect(of('bids/../archive/c.nii', 'bids')).rejects.toMatchObject({
      failure: { code: 'CONFIG_INVALID' },
    });
    await expect(of('bids/gone.nii', 'bids')).rejects.toMatchObject({ failure: { code: 'INPUT_MISSING' } });
  });
});

describe('a log', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delta-md-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is kept byte for byte; lines of two streams, and letters cut in two, come whole', async () => {
    const lines: string[] = [];
    const log = logSink(join(folder, 'a'), (line) => lines.push(line));
    const [out, err] = [log.source(), log.source()];
    const omega = Buffer.from('Ω');
    out(Buffer.from('[ 10 %]\r[ 20 %]\r\nhalf '));
    err(Buffer.from('warning\n'));
    out(omega.subarray(0, 1));
    out(Buffer.concat([omega.subarray(1), Buffer.from('\nno end')]));
    await log.end();
    expect(lines).toEqual(['[ 10 %]', '[ 20 %]', 'warning', 'half Ω', 'no end']);
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('[ 10 %]\r[ 20 %]\r\nhalf warning\nΩ\nno end');
  });

  it.each([0, 1, LOG_TAIL_BYTES, LOG_TAIL_BYTES + 1, 3 * LOG_TAIL_BYTES + 17])(
    'that is %i bytes too long loses its middle only',
    async (beyond) => {
      const log = logSink(join(folder, 'b'), () => {});
      const write = log.source();
      const all = Buffer.alloc(LOG_HEAD_BYTES + beyond);
      for (let i = 0; i < all.length; i += 997) all[i] = 1 + (i % 9);
      for (let i = 0, size = 70_001; i < all.length; i += size) write(all.subarray(i, i + size));
      await log.end();
      const kept = await readFile(join(folder, 'b'));
      expect(kept.subarray(0, LOG_HEAD_BYTES).equals(all.subarray(0, LOG_HEAD_BYTES))).toBe(true);
      const left = beyond - LOG_TAIL_BYTES;
      const note = left > 0 ? `\n[${left} bytes of this log were not kept]\n` : '';
      const end = kept.subarray(LOG_HEAD_BYTES);
      expect(end.subarray(0, note.length).toString()).toBe(note);
      expect(
        end.subarray(note.length).equals(all.subarray(Math.max(LOG_HEAD_BYTES, all.length - LOG_TAIL_BYTES))),
      ).toBe(true);
    },
  );

  it('that cannot be written costs no line', async () => {
    const lines: string[] = [];
    const log = logSink(join(folder, 'no', 'such', 'folder'), (line) => lines.push(line));
    log.source()(Buffer.from('still\n'));
    await log.end();
    expect(lines).toEqual(['still']);
  });
});

it('tells signals from exit codes in the one number that engines give', () => {
  expect(ended(0)).toEqual({ exitCode: 0 });
  expect(ended(128)).toEqual({ exitCode: 128 });
  expect(ended(137)).toEqual({ exitCode: null, signal: 'SIGKILL' });
  expect(ended(139)).toEqual({ exitCode: null, signal: 'SIGSEGV' });
  expect(ended(200)).toEqual({ exitCode: 200 });
  expect(ended(255)).toEqual({ exitCode: 255 });
});

it('finds the socket of a user’s own Podman before the system’s', async () => {
  const runtime = await mkdtemp(join(tmpdir(), 'delta-md-'));
  expect(podmanSocket({ XDG_RUNTIME_DIR: runtime })).toBe('/run/podman/podman.sock');
  await mkdir(join(runtime, 'podman'));
  await writeFile(join(runtime, 'podman', 'podman.sock'), '');
  expect(podmanSocket({ XDG_RUNTIME_DIR: runtime })).toBe(`${runtime}/podman/podman.sock`);
  await rm(runtime, { recursive: true });
});
