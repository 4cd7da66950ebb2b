import { access, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { execa } from 'execa';
import { requireOnTemplate } from '../../activities/regions.ts';
import { runtimeFor, TOOLKIT_FOLDER } from '../../activities/runtimes.ts';
import { readyStudy } from '../../activities/standard.ts';
import type { WrittenStudy } from '../../config/study.ts';
import { connect, type EngineKind } from '../../containers/engine.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { lacking, parseFslVersion, toolsOf, variantsOf } from '../../pipeline/fsl-versions.ts';
import { EXIT } from '../exit-codes.ts';
import { JSON_OPTION } from '../options.ts';
import { columns, output } from '../output.ts';
import { requireStudyFile } from '../study.ts';
import { lookForCli } from '../temporal/find-cli.ts';
import { VERSION } from '../version.ts';
import { TOOLKIT_IMAGE } from './images.ts';

interface Check {
  readonly what: string;
  /** missing: something a run needs; absent: something only some runs need. */
  readonly state: 'ok' | 'missing' | 'absent';
  readonly found: string;
  readonly remedy?: string;
}

const GIB = 2 ** 30;
/** What full-size data (2 mm, 68 volumes, both sessions) need at least. */
const NEEDS = { memoryGiB: 4, diskGiB: 20 };

async function checkNode(): Promise<Check> {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 20
    ? { what: 'Node.js', state: 'ok', found: process.version }
    : { what: 'Node.js', state: 'missing', found: process.version, remedy: 'Install Node.js 20 or later' };
}

async function checkTemporal(): Promise<Check> {
  try {
    const cli = await lookForCli();
    if (cli) return { what: 'Temporal CLI', state: 'ok', found: `${cli.path} (${cli.source})` };
  } catch (error) {
    return {
      what: 'Temporal CLI',
      state: 'missing',
      found: (error as Error).message,
      remedy: 'Correct or unset it',
    };
  }
  return {
    what: 'Temporal CLI',
    state: 'absent',
    found: 'not yet here',
    remedy: 'It is fetched at the first run; or install it and put it on PATH, or set TEMPORAL_CLI_PATH',
  };
}

async function checkToolkit(): Promise<Check> {
  const bin = join(TOOLKIT_FOLDER, 'bin', 'topup');
  return access(bin).then(
    () => ({ what: 'Built-in tools', state: 'ok' as const, found: TOOLKIT_FOLDER }),
    () => ({
      what: 'Built-in tools',
      state: 'missing' as const,
      found: 'not built',
      remedy: 'npm run build',
    }),
  );
}

async function checkFsl(): Promise<Check> {
  const fsl = process.env['FSLDIR'];
  const found =
    fsl &&
    (await access(join(fsl, 'bin', 'topup')).then(
      () => true,
      () => false,
    ));
  return found
    ? { what: 'FSL', state: 'ok', found: `${fsl}: runtime: { kind: process, fslDir: ${fsl} }` }
    : {
        what: 'FSL',
        state: 'absent',
        found: 'no $FSLDIR with its tools',
        remedy:
          'Only for profiles fsl-5.0 and modern: https://fsl.fmrib.ox.ac.uk (non-commercial licence), then set FSLDIR',
      };
}

const ENGINES = {
  docker: { what: 'Docker engine', how: 'https://docs.docker.com/engine/install' },
  podman: { what: 'Podman', how: 'systemctl --user enable --now podman.socket' },
} as const;

async function checkEngine(kind: EngineKind): Promise<Check[]> {
  const { what, how } = ENGINES[kind];
  const docker = connect(kind);
  let version: string;
  try {
    ({ Version: version } = await docker.version());
  } catch (error) {
    const remedy = `Only for runtime ${kind}: install it and start it (${how})`;
    return [{ what, state: 'absent', found: (error as Error).message, remedy }];
  }
  const image = await docker
    .getImage(TOOLKIT_IMAGE)
    .inspect()
    .catch(() => undefined);
  return [
    { what, state: 'ok', found: version },
    image
      ? {
          what: `Toolkit image, ${kind}`,
          state: 'ok',
          found: `${TOOLKIT_IMAGE}, ${Math.round(image.Size / 2 ** 20)} MiB`,
        }
      : {
          what: `Toolkit image, ${kind}`,
          state: 'absent',
          found: `no ${TOOLKIT_IMAGE}`,
          remedy: `Only for the built-in tools in ${kind}: delta-md images build --engine ${kind}`,
        },
  ];
}

async function checkApptainer(): Promise<Check> {
  const what = 'Apptainer';
  for (const program of ['apptainer', 'singularity']) {
    const { exitCode, stdout } = await execa(program, ['--version'], { reject: false });
    if (exitCode === 0) return { what, state: 'ok', found: stdout };
  }
  return {
    what,
    state: 'absent',
    found: 'neither apptainer nor singularity is on the PATH',
    remedy: 'Only for runtime apptainer: install it (on a cluster often: module load apptainer)',
  };
}

/** Whether a study's own runtime has every tool of its profile, new enough. */
async function checkStudy({ runtime, profile, file }: WrittenStudy): Promise<Check[]> {
  const what = `Tools of ${file}`;
  const gpu = runtime.gpu === true;
  try {
    const asked = toolsOf(profile).flatMap((tool) => variantsOf(tool, gpu));
    const { version, programs } = await (await runtimeFor(runtime)).survey(asked);
    if (programs === undefined)
      return [{ what, state: 'ok', found: `${version}; the image cannot be looked into (it has no ls)` }];
    const lacks = lacking(profile, parseFslVersion(version), programs, { gpu });
    if (lacks.length === 0)
      return [{ what, state: 'ok', found: `${version}, all of profile ${profile.name}` }];
    return lacks.map(({ message, remedy }) => ({ what, state: 'missing', found: message, remedy }));
  } catch (error) {
    if (!(error instanceof DeltaMdError)) throw error;
    return [{ what, state: 'missing', found: error.message, remedy: error.failure.remedy }];
  }
}

/** Whether template and regions of a study can be had, on one grid. */
async function checkRegions(written: WrittenStudy): Promise<Check> {
  const what = `Template and regions of ${written.file}`;
  try {
    const { template, rois } = await readyStudy(written);
    await requireOnTemplate(rois.image, template);
    return { what, state: 'ok', found: `${template}; ${rois.labels.length} regions in ${rois.image}` };
  } catch (error) {
    if (!(error instanceof DeltaMdError)) throw error;
    return { what, state: 'missing', found: error.message, remedy: error.failure.remedy };
  }
}

async function checkMachine(): Promise<Check[]> {
  const memory = totalmem() / GIB;
  const disk = await statfs('.');
  const free = (disk.bavail * disk.bsize) / GIB;
  return [
    {
      what: 'Memory',
      state: memory >= NEEDS.memoryGiB ? 'ok' : 'missing',
      found: `${memory.toFixed(1)} GiB, ${(freemem() / GIB).toFixed(1)} GiB free, ${cpus().length} cores`,
      remedy: `Full-size data need ${NEEDS.memoryGiB} GiB; run fewer steps at once (--n-cpus 1)`,
    },
    {
      what: 'Disk, here',
      state: free >= NEEDS.diskGiB ? 'ok' : 'missing',
      found: `${free.toFixed(0)} GiB free`,
      remedy: `Full-size cohorts need ${NEEDS.diskGiB} GiB and more: choose another work folder (--work-dir)`,
    },
  ];
}

export function register(program: Command): void {
  program
    .command('doctor')
    .description('Says what is missing on this machine, and how to get it.')
    .argument(
      '[study]',
      'study file: also whether its runtime has the tools of its profile, new enough, and its template and regions',
    )
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md doctor\n  delta-md doctor study.yaml\n\nExit codes: 0 a run can start, 3 something a run needs is missing',
    )
    .action(async (file: string | undefined, { json }: { json?: boolean }) => {
      const out = output(json);
      const study = file === undefined ? undefined : await requireStudyFile(file);
      const checks = [
        await checkNode(),
        await checkTemporal(),
        await checkToolkit(),
        await checkFsl(),
        ...(await checkEngine('docker')),
        ...(await checkEngine('podman')),
        await checkApptainer(),
        ...(await checkMachine()),
        ...(study === undefined ? [] : [...(await checkStudy(study)), await checkRegions(study)]),
      ];
      const mark = { ok: '✓', missing: '✗', absent: '–' };
      for (const line of columns(checks.map((c) => [mark[c.state], c.what, c.found]))) out.say(line);
      const wanting = checks.filter((c) => c.state !== 'ok');
      if (wanting.length > 0) out.say();
      for (const { state, what, remedy } of wanting) out.say(`${mark[state]} ${what}: ${remedy}`);
      out.result({ version: VERSION, checks });
      process.exitCode = checks.some((c) => c.state === 'missing') ? EXIT.infrastructure : EXIT.done;
    });
}
