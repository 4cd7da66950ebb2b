/** One suite for every runtime: what the interface promises must hold for each. */
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApptainerRuntime } from '../../containers/apptainer.ts';
import type { ContainerOptions } from '../../containers/container.ts';
import { EngineRuntime } from '../../containers/docker.ts';
import { LOG_HEAD_BYTES, LOG_TAIL_BYTES } from '../../containers/log-sink.ts';
import { ProcessRuntime } from '../../containers/process.ts';
import type { Execution, Outcome, Runtime } from '../../containers/runtime.ts';
import { buildToolkitImage } from '../../containers/toolkit-image.ts';
import { dockerEngine } from './docker.ts';
import {
  buildSif,
  heldBy,
  isOnPath,
  type PrivateEngine,
  processesWith,
  reasonAgainst,
  startEngine,
} from './engines.ts';

const PROBE = fileURLToPath(new URL('../fixtures/probe', import.meta.url));
const IMAGE = 'delta-md-test-probe:1';

/** A runtime under test. */
interface Subject {
  readonly runtime: (options?: ContainerOptions) => Runtime;
  /** True where the tool is kept from the machine: read-only root, no network, only its own files. */
  readonly confines: boolean;
  /** True where processor time is limited by force. */
  readonly limitsCpu: boolean;
  readonly docker?: Docker;
  /** Size of a log that is far beyond what is kept, MiB. */
  readonly logMiB: number;
  readonly dispose: () => Promise<void>;
}

async function engineSubject(kind: 'docker' | 'podman'): Promise<Subject> {
  const own: PrivateEngine | undefined = reasonAgainst(kind) ? undefined : await startEngine(kind);
  const docker = own?.docker ?? (await dockerEngine());
  if (!docker) throw new Error('no engine');
  // For the case in which the caller is not root.
  if (own) for (const path of [join(own.socket, '..'), own.socket]) await chmod(path, 0o777);
  await buildToolkitImage(docker, IMAGE, PROBE, 'probe 1');
  return {
    runtime: (options) => new EngineRuntime(kind, IMAGE, options, docker),
    confines: true,
    limitsCpu: true,
    docker,
    // What Podman 4 passes on is some 10 MB/s, Docker some 50.
    logMiB: kind === 'podman' ? 128 : 2048,
    dispose: async () => own?.dispose(),
  };
}

async function apptainerSubject(): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'delta-md-sif-'));
  const image = join(folder, 'probe 1.sif');
  await buildSif(PROBE, image);
  return {
    runtime: (options) => new ApptainerRuntime(image, options),
    confines: true,
    limitsCpu: false,
    logMiB: 2048,
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

const subjects: { name: string; missing?: string; make: () => Promise<Subject> }[] = [
  {
    name: 'process',
    make: async () => ({
      runtime: () => new ProcessRuntime({ bin: join(PROBE, 'bin'), version: 'probe 1' }),
      confines: false,
      limitsCpu: false,
      logMiB: 2048,
      dispose: async () => {},
    }),
  },
  {
    name: 'docker',
    missing: reasonAgainst('docker') && !(await dockerEngine()) ? reasonAgainst('docker') : undefined,
    make: () => engineSubject('docker'),
  },
  { name: 'podman', missing: reasonAgainst('podman'), make: () => engineSubject('podman') },
  {
    name: 'apptainer',
    missing: isOnPath('apptainer') ? undefined : 'apptainer is not installed',
    make: apptainerSubject,
  },
];
for (const { name, missing } of subjects)
  if (missing) console.warn(`\n*** SKIPPED: runtime ${name}: ${missing}. ***\n`);

/** Source of the child that the probe's `sleep` starts, with a mark of this test run. */
const SLEEPER = `/* ${process.pid} */ setTimeout(() => {}, 60_000)`;

describe.each(subjects.filter(({ missing }) => missing === undefined))('runtime $name', ({ name, make }) => {
  let subject: Subject;
  let runtime: Runtime;
  let root: string;
  let before: string[];
  let count = 0;

  beforeAll(async () => {
    subject = await make();
    runtime = subject.runtime();
    before = subject.docker ? await heldBy(subject.docker) : [];
    // Spaces and letters beyond ASCII in every host path.
    root = await mkdtemp(join(tmpdir(), 'delta md ünï-'));
    await chmod(root, 0o755);
  });
  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
    await subject.dispose();
  });

  type Probe = Execution & { lines: string[] };
  async function execution(argv: string[], change: Partial<Execution> = {}): Promise<Probe> {
    const folder = join(root, `work ${count++}`);
    await mkdir(folder);
    const lines: string[] = [];
    return {
      id: `delta-md-test-${process.pid}-${count}`,
      argv: ['probe', ...argv],
      folder,
      inputs: {},
      cpus: 1,
      memoryMiB: 512,
      seconds: 60,
      log: join(folder, 'log.txt'),
      onLine: (line) => lines.push(line),
      lines,
      ...change,
    };
  }
  const run = (e: Execution, signal = new AbortController().signal): Promise<Outcome> =>
    runtime.run(e, signal);
  /** Runs to a good end and gives what the probe printed as JSON. */
  const told = async (argv: string[], change: Partial<Execution> = {}): Promise<unknown> => {
    const e = await execution(argv, change);
    expect((await run(e)).exitCode, e.lines.join('\n')).toBe(0);
    return JSON.parse(e.lines.at(-1)!);
  };

  it('names the tool by its content', async () => {
    const identity = await runtime.identify('probe');
    expect(identity.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(identity.version).toContain('probe 1');
    expect(await runtime.identify('probe')).toEqual(identity);
  });

  it('passes argv untouched: spaces, quotes, dollar signs, unicode, line breaks', async () => {
    const words = ['a b', '"quoted"', "it's", '$HOME', '`id`', '*', 'ü→β', 'two\nlines', '\\n', '--', ''];
    const e = await execution(['echo', ...words]);
    expect((await run(e)).exitCode).toBe(0);
    expect(JSON.parse(e.lines.at(-1)!)).toEqual(words);
    expect(await readFile(join(e.folder, 'out.txt'), 'utf8')).toBe(words.join('\n'));
  });

  it('gives outputs to the caller', async () => {
    const e = await execution(['echo', 'x']);
    await run(e);
    expect((await stat(join(e.folder, 'out.txt'))).uid).toBe(userInfo().uid);
  });

  it.skipIf(process.getuid?.() !== 0)('gives outputs to a caller who is not root', async ({ skip }) => {
    // Apptainer goes by the real user, and a test can only lend the effective one.
    skip(name === 'apptainer');
    const e = await execution(['echo', 'x']);
    const nobody = 65_534;
    // The folder above as well: what a runtime keeps of a step lies beside the step's folder.
    const folder = join(e.folder, 'step');
    await mkdir(folder);
    for (const path of [e.folder, folder]) await chown(path, nobody, nobody);
    process.setegid!(nobody);
    process.seteuid!(nobody);
    try {
      const own = { ...e, folder, log: join(folder, 'log.txt') };
      const outcome = await subject.runtime().run(own, new AbortController().signal);
      expect(outcome.exitCode, e.lines.join('\n')).toBe(0);
    } finally {
      process.seteuid!(0);
      process.setegid!(0);
    }
    expect((await stat(join(folder, 'out.txt'))).uid).toBe(nobody);
  });

  it('stages inputs under their names, whatever the host calls them', async () => {
    const names = ['söurce $x.nii.gz', 'a:b:ro=d.nii.gz', '..nii', '-v.nii', "'; id #", 'tab\there', '`id`'];
    for (const hostile of names) {
      const source = join(root, hostile);
      await writeFile(source, hostile);
      const e = await execution(['copy', 'in/data.nii.gz'], { inputs: { 'in/data.nii.gz': source } });
      expect((await run(e)).exitCode, `${hostile}: ${e.lines.join('\n')}`).toBe(0);
      expect(await readFile(join(e.folder, 'out.txt'), 'utf8')).toBe(hostile);
    }
  });

  it('stages an input whose name has a comma, quote or line break, or refuses it by name', async () => {
    const refused: string[] = [];
    for (const hostile of ['comma,dst=x', 'quo"te', 'line\nbreak']) {
      const source = join(root, hostile);
      await writeFile(source, hostile);
      const e = await execution(['copy', 'in/data.nii.gz'], { inputs: { 'in/data.nii.gz': source } });
      const ending = await run(e).catch((error) => {
        expect(error).toMatchObject({ failure: { code: 'CONFIG_INVALID' } });
        refused.push(hostile);
      });
      if (ending) expect(await readFile(join(e.folder, 'out.txt'), 'utf8')).toBe(hostile);
    }
    expect(refused).toHaveLength({ podman: 3, apptainer: 1 }[name] ?? 0);
  });

  it('reports the exit code and keeps the log', async () => {
    const e = await execution(['exit', '7']);
    expect(await run(e)).toMatchObject({ exitCode: 7, outOfMemory: false, timedOut: false });
    expect(e.lines).toContain('about to fail');
    expect(await readFile(e.log, 'utf8')).toContain('about to fail');
    // Beyond the signals a number is an exit code.
    expect(await run(await execution(['exit', '200']))).toMatchObject({ exitCode: 200 });
  });

  it('reports the signal a tool died of', async () => {
    const outcome = await run(await execution(['crash']));
    expect(outcome).toMatchObject({ exitCode: null, outOfMemory: false, timedOut: false });
    // A container's first process is deaf to its own SIGABRT and dies of what abort() does next.
    expect(outcome.signal).toMatch(/^SIG(ABRT|SEGV|ILL|TRAP)$/);
  });

  it('streams lines while the tool runs', async () => {
    const abort = new AbortController();
    const e = await execution(['sleep', SLEEPER]);
    const running = run(e, abort.signal);
    running.catch(() => {});
    const until = Date.now() + 20_000;
    while (e.lines.length === 0 && Date.now() < until) await sleep(20);
    expect(e.lines).toEqual(['[ 10 %] sleeping']);
    abort.abort(new Error('seen'));
    await expect(running).rejects.toThrow('seen');
  });

  it('streams a long log whole', async () => {
    const e = await execution(['log', '50000']);
    expect((await run(e)).exitCode).toBe(0);
    const lines = (await readFile(e.log, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(50_000);
    expect(lines.at(-1)).toMatch(/^line 49999 /);
    expect(e.lines).toHaveLength(50_000);
  });

  it('takes gigabytes of log: keeps its beginning and end, in bounded memory', async () => {
    const MIB = 2 ** 20;
    let lines = 0;
    let last = '';
    const e = await execution(['flood', String(subject.logMiB)], {
      seconds: 280,
      onLine: (line) => {
        lines++;
        last = line;
      },
    });
    const rss = process.memoryUsage().rss;
    let most = rss;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
    const outcome = await run(e);
    clearInterval(watch);
    expect(outcome.exitCode).toBe(0);
    expect(lines).toBe(subject.logMiB * 16 + 1);
    expect(last).toBe('the end');
    const { size } = await stat(e.log);
    expect(size).toBeGreaterThan(LOG_HEAD_BYTES + LOG_TAIL_BYTES);
    expect(size).toBeLessThan(LOG_HEAD_BYTES + LOG_TAIL_BYTES + 200);
    const tail = ['-c', String(LOG_TAIL_BYTES + 100), e.log];
    const end = execFileSync('tail', tail, { encoding: 'latin1', maxBuffer: 2 * LOG_TAIL_BYTES });
    const left = subject.logMiB * MIB + 'the end\n'.length - LOG_HEAD_BYTES - LOG_TAIL_BYTES;
    expect(end.includes(`[${left} bytes of this log were not kept]`)).toBe(true);
    expect(end.endsWith('x\nthe end\n')).toBe(true);
    // The kept beginning waiting for the disk, and what the collector has not got round to: far from 2 GiB.
    expect((most - rss) / MIB).toBeLessThan(512);
  }, 300_000);

  it('ends a tool at its time limit', async () => {
    const e = await execution(['sleep', SLEEPER], { seconds: 1.5 });
    const outcome = await run(e);
    expect(outcome).toMatchObject({ timedOut: true, outOfMemory: false });
    expect(outcome.seconds).toBeLessThan(20);
    expect(await processesWith(SLEEPER)).toEqual(new Map());
  });

  it('ends a tool at its memory limit, and says so', async () => {
    const outcome = await run(await execution(['eat'], { memoryMiB: 200 }));
    expect(outcome.outOfMemory).toBe(true);
    expect(outcome.exitCode).not.toBe(0);
  });

  it('measures peak memory and processor time', async () => {
    const held = await run(await execution(['hold', '300', '3']));
    expect(held.peakMemoryMiB).toBeGreaterThan(300);
    // Node itself takes some 50 to 100 MiB.
    expect(held.peakMemoryMiB).toBeLessThan(450);
    const span = await run(await execution(['spin', '1', '3']));
    // A lower bound: looked at every half second (containers: two), on a machine that may be busy.
    expect(span.cpuSeconds).toBeGreaterThan(0.3);
    expect(span.cpuSeconds).toBeLessThan(6);
  });

  it('tells a tool how many threads it may start, and limits processor time where it can', async () => {
    expect(await told(['env'], { cpus: 2 })).toMatchObject({ OMP_NUM_THREADS: '2' });
    if (!subject.limitsCpu) return;
    const { cpuSeconds, seconds } = await run(await execution(['spin', '4', '3'], { cpus: 0.5 }));
    // Half a core, with the scheduler's own periods of 0.1 s.
    expect(cpuSeconds).toBeLessThan(0.5 * seconds + 0.3);
  });

  it('gives a tool nothing of the worker’s environment', async () => {
    process.env['DELTA_MD_TEST_SECRET'] = 'secret';
    try {
      expect(Object.keys((await told(['env'])) as object)).not.toContain('DELTA_MD_TEST_SECRET');
    } finally {
      delete process.env['DELTA_MD_TEST_SECRET'];
    }
  });

  it('runs two at once, each with its own', async () => {
    const both = [await execution(['echo', 'one']), await execution(['echo', 'two'])];
    await Promise.all(both.map((e) => run(e)));
    for (const [i, word] of ['one', 'two'].entries())
      expect(await readFile(join(both[i].folder, 'out.txt'), 'utf8')).toBe(word);
  });

  it('ends the whole tree when aborted', async () => {
    const abort = new AbortController();
    const e = await execution(['sleep', SLEEPER]);
    const running = run(e, abort.signal);
    running.catch(() => {});
    while (e.lines.length === 0) await sleep(20);
    expect(await processesWith(SLEEPER)).not.toEqual(new Map());
    abort.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
    expect(await processesWith(SLEEPER)).toEqual(new Map());
  });

  it('does not start what was aborted before', async () => {
    const e = await execution(['echo', 'x']);
    await expect(run(e, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(await readdir(e.folder)).not.toContain('out.txt');
  });

  it('ends a leftover of the same name first: never two writers', async () => {
    const abort = new AbortController();
    const first = await execution(['sleep', SLEEPER]);
    const lost = run(first, abort.signal);
    lost.catch(() => {});
    while (first.lines.length === 0) await sleep(20);
    const second = { ...(await execution(['echo', 'mine'])), id: first.id, folder: first.folder };
    expect((await run(second)).exitCode).toBe(0);
    await lost.catch(() => {});
    expect(await processesWith(SLEEPER)).toEqual(new Map());
  });

  it('names a tool that is not there', async () => {
    const e = await execution([]);
    await expect(run({ ...e, argv: ['no-such-tool'] })).rejects.toMatchObject({
      failure: { code: 'TOOL_MISSING', remedy: expect.stringContaining('doctor') },
    });
  });

  describe('confinement', () => {
    it('has a read-only root, read-only inputs, and a place for temporary files', async ({ skip }) => {
      skip(!subject.confines);
      const source = join(root, 'source.txt');
      await writeFile(source, 'keep');
      const write = async (path: string) => {
        const e = await execution(['write', path], { inputs: { 'in/source.txt': source } });
        await run(e);
        return e.lines.at(-1);
      };
      expect(await write('/opt/x')).toBe('EROFS');
      expect(await write('in/source.txt')).toBe('EROFS');
      expect(await readFile(source, 'utf8')).toBe('keep');
      expect(await write('fine.txt')).toBe('written');
      expect(await write('/tmp/fine.txt')).toBe('written');
    });

    it('has no network', async ({ skip }) => {
      skip(!subject.confines);
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.on('listening', resolve));
      const { port } = server.address() as { port: number };
      const e = await execution(['connect', String(port)]);
      await run(e);
      server.close();
      expect(e.lines.at(-1)).toMatch(/^E(CONNREFUSED|NETUNREACH|ADDRNOTAVAIL)$/);
    });

    it('sees its folder and its inputs and nothing else of the host', async ({ skip }) => {
      skip(!subject.confines);
      const source = join(root, 'seen.txt');
      await writeFile(source, 'x');
      const seen = await told(
        ['there', 'in/seen.txt', source, root, PROBE, join(process.cwd(), 'package.json')],
        {
          inputs: { 'in/seen.txt': source },
        },
      );
      expect(seen).toEqual([true, false, false, false, false]);
    });

    it('has no capabilities, cannot gain any, and is filtered by seccomp where engines do', async ({
      skip,
    }) => {
      skip(!subject.confines);
      const status = (await told(['status'])) as string;
      expect(status).toMatch(/^CapEff:\s0+$/m);
      expect(status).toMatch(/^CapBnd:\s0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s1$/m);
      if (subject.docker) expect(status).toMatch(/^Seccomp:\s2$/m);
    });

    it('refuses an input that leads out of the study’s folders', async ({ skip }) => {
      skip(!subject.confines);
      const data = join(root, 'data');
      await mkdir(data);
      await writeFile(join(root, 'outside.txt'), 'not for tools');
      await writeFile(join(data, 'inside.txt'), 'fine');
      await symlink('../outside.txt', join(data, 'link.txt'));
      await symlink('inside.txt', join(data, 'good link.txt'));
      const guarded = subject.runtime({ roots: [data] });
      const copy = async (source: string) => {
        const e = await execution(['copy', 'in/x.txt'], { inputs: { 'in/x.txt': source } });
        return guarded.run(e, new AbortController().signal);
      };
      for (const source of ['link.txt', '../outside.txt', 'x/../../outside.txt'])
        await expect(copy(`${data}/${source}`), source).rejects.toMatchObject({
          failure: { code: expect.stringMatching(/^(CONFIG_INVALID|INPUT_MISSING)$/) },
        });
      expect((await copy(join(data, 'good link.txt'))).exitCode).toBe(0);
    });
  });

  it('leaves no container, volume or network behind', async () => {
    if (subject.docker) expect(await heldBy(subject.docker)).toEqual(before);
    expect(await processesWith(SLEEPER)).toEqual(new Map());
  });
});

describe.each(['docker', 'podman'] as const)('a %s engine that dies', (kind) => {
  it.skipIf(reasonAgainst(kind))('is named; when it is back the step runs and nothing is left', async () => {
    const engine = await startEngine(kind);
    const folder = await mkdtemp(join(tmpdir(), 'delta-md-'));
    try {
      await buildToolkitImage(engine.docker, IMAGE, PROBE, 'probe 1');
      const before = await heldBy(engine.docker);
      const runtime = new EngineRuntime(kind, IMAGE, {}, engine.docker);
      const lines: string[] = [];
      const sleeping: Execution = {
        id: 'delta-md-test-death',
        argv: ['probe', 'sleep', SLEEPER],
        folder,
        inputs: {},
        cpus: 1,
        memoryMiB: 512,
        seconds: 60,
        log: join(folder, 'log.txt'),
        onLine: (line) => lines.push(line),
      };
      const signal = new AbortController().signal;
      const lost = runtime.run(sleeping, signal);
      lost.catch(() => {});
      while (lines.length === 0) await sleep(20);
      await engine.kill();
      await expect(lost).rejects.toMatchObject({ failure: { code: 'RUNTIME_UNAVAILABLE' } });
      // Nor can a further step start, or a tool be identified by a new worker.
      await expect(runtime.run(sleeping, signal)).rejects.toMatchObject({
        failure: { code: 'RUNTIME_UNAVAILABLE' },
      });
      await engine.start();
      const again = await runtime.run({ ...sleeping, argv: ['probe', 'echo', 'back'] }, signal);
      expect(again.exitCode).toBe(0);
      expect(await processesWith(SLEEPER)).toEqual(new Map());
      expect(await heldBy(engine.docker)).toEqual(before);
    } finally {
      await engine.dispose();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
