import { access, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import Docker from 'dockerode';
import { TOOLKIT_FOLDER } from '../../activities/runtimes.ts';
import { buildToolkitImage } from '../../containers/toolkit-image.ts';
import { EXIT } from '../exit-codes.ts';
import { JSON_OPTION } from '../options.ts';
import { columns, output } from '../output.ts';
import { lookForCli } from '../temporal/find-cli.ts';
import { VERSION } from '../version.ts';

/** Name of the image that holds the built-in tools of this version. */
export const TOOLKIT_IMAGE = `delta-md-toolkit:${VERSION}`;

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

async function checkDocker(docker: Docker): Promise<Check[]> {
  let version: string;
  try {
    ({ Version: version } = await docker.version());
  } catch (error) {
    return [
      {
        what: 'Docker engine',
        state: 'absent',
        found: (error as Error).message,
        remedy: 'Only for runtime docker: install it and start it (https://docs.docker.com/engine/install)',
      },
    ];
  }
  const image = await docker
    .getImage(TOOLKIT_IMAGE)
    .inspect()
    .catch(() => undefined);
  return [
    { what: 'Docker engine', state: 'ok', found: version },
    image
      ? {
          what: 'Toolkit image',
          state: 'ok',
          found: `${TOOLKIT_IMAGE}, ${Math.round(image.Size / 2 ** 20)} MiB`,
        }
      : {
          what: 'Toolkit image',
          state: 'absent',
          found: `no ${TOOLKIT_IMAGE}`,
          remedy: 'Only for the built-in tools in docker: delta-md doctor --build-image',
        },
  ];
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
    .option('--build-image', `make ${TOOLKIT_IMAGE} (built-in tools for runtime docker) on the Docker engine`)
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md doctor\n  delta-md doctor --build-image\n\nExit codes: 0 a run can start, 3 something a run needs is missing',
    )
    .action(async ({ buildImage, json }: { buildImage?: boolean; json?: boolean }) => {
      const out = output(json);
      const docker = new Docker();
      if (buildImage) {
        out.say(`Making ${TOOLKIT_IMAGE} ...`);
        await buildToolkitImage(docker, TOOLKIT_IMAGE, TOOLKIT_FOLDER, `delta-md toolkit ${VERSION}`);
      }
      const checks = [
        await checkNode(),
        await checkTemporal(),
        await checkToolkit(),
        await checkFsl(),
        ...(await checkDocker(docker)),
        ...(await checkMachine()),
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
