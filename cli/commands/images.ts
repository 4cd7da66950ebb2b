import { type Command, Option } from 'commander';
import { runtimeFor, TOOLKIT_FOLDER } from '../../activities/runtimes.ts';
import type { StudySettings } from '../../config/study.ts';
import { answer, connect, type EngineKind } from '../../containers/engine.ts';
import { buildToolkitImage } from '../../containers/toolkit-image.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument } from '../options.ts';
import { columns, output } from '../output.ts';
import { requireStudyFile } from '../study.ts';
import { VERSION } from '../version.ts';

/** Name of the image that holds the built-in tools of this version. */
export const TOOLKIT_IMAGE = `delta-md-toolkit:${VERSION}`;

/** Passes a result on; a failure of an engine or image becomes words and an exit code. */
async function orSay<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DeltaMdError)) throw error;
    throw new CommandError(`${error.message}\n    ${error.failure.remedy}`, EXIT.infrastructure);
  }
}

/** The image a study runs in. @throws CommandError for a study that uses none */
function imageOf({ runtime, file }: StudySettings): Exclude<StudySettings['runtime'], { kind: 'process' }> {
  if (runtime.kind === 'process')
    throw new CommandError(`${file} uses no image: its tools are programs of this machine`, EXIT.badInput);
  return runtime;
}

async function list(file: string, { json }: { json?: boolean }): Promise<void> {
  const out = output(json);
  const study = await requireStudyFile(file);
  const { kind, image } = imageOf(study);
  const {
    digest,
    version,
    bytes = 0,
    registryDigests = [],
  } = await orSay(runtimeFor(study.runtime).then((runtime) => runtime.survey([])));
  for (const line of columns([
    ['image', image],
    ['runtime', kind],
    ['holds', version],
    ['digest', digest ?? ''],
    ['size', `${(bytes / 1e6).toFixed(0)} MB`],
    ...registryDigests.map((pin) => ['to pin it', `image: "${pin}"`]),
  ]))
    out.say(line);
  out.result({ image, runtime: kind, version, digest, bytes, registryDigests });
}

async function pull(file: string, { json }: { json?: boolean }): Promise<void> {
  const out = output(json);
  const runtime = imageOf(await requireStudyFile(file));
  if (runtime.kind === 'apptainer')
    throw new CommandError(
      `Make the file with apptainer itself: apptainer build ${runtime.image} docker://NAME`,
      EXIT.badInput,
    );
  const { kind, image, socket } = runtime;
  out.say(`Fetching ${image} ...`);
  const docker = connect(kind, socket);
  const fetching = new Promise<void>((resolve, reject) =>
    docker.pull(image, (error: Error | null, stream: NodeJS.ReadableStream) =>
      error
        ? reject(error)
        : docker.modem.followProgress(stream, (late) => (late ? reject(late) : resolve())),
    ),
  );
  try {
    await answer(kind, docker.ping());
    await fetching;
  } catch (error) {
    throw new CommandError(`${image} cannot be fetched: ${(error as Error).message}`, EXIT.infrastructure);
  }
  await list(file, { json });
}

interface BuildOptions {
  engine: EngineKind;
  socket?: string;
  json?: boolean;
}

async function build({ engine, socket, json }: BuildOptions): Promise<void> {
  const out = output(json);
  out.say(`Making ${TOOLKIT_IMAGE} ...`);
  const docker = connect(engine, socket);
  await orSay(buildToolkitImage(docker, TOOLKIT_IMAGE, TOOLKIT_FOLDER, `delta-md toolkit ${VERSION}`));
  const { Id, Size } = await docker.getImage(TOOLKIT_IMAGE).inspect();
  out.say(`${TOOLKIT_IMAGE}, ${Math.round(Size / 1e6)} MB, ${Id}`);
  out.say(`In the study file: runtime: { kind: ${engine}, image: "${TOOLKIT_IMAGE}" }`);
  out.result({ image: TOOLKIT_IMAGE, digest: Id, bytes: Size });
}

export function register(program: Command): void {
  const images = program
    .command('images')
    .description('Container images with the tools.')
    .addHelpText(
      'after',
      `
Examples:
  delta-md images build                    the built-in tools, without a registry
  delta-md images pull study.yaml          fetch what the study file names
  delta-md images list study.yaml          its digest, size, and the FSL inside

Exit codes: 0 done, 2 bad input, 3 no engine, or no such image`,
    );
  images
    .command('list')
    .description('The image a study uses: digest, size, and the version of FSL read from inside.')
    .addArgument(studyArgument())
    .addOption(JSON_OPTION())
    .action(list);
  images
    .command('pull')
    .description('Fetches the image a study names, by name or by digest.')
    .addArgument(studyArgument())
    .addOption(JSON_OPTION())
    .action(pull);
  images
    .command('build')
    .description(`Makes ${TOOLKIT_IMAGE}, the built-in tools, from what is on this machine.`)
    .addOption(
      new Option('--engine <kind>', 'engine that keeps it').choices(['docker', 'podman']).default('docker'),
    )
    .option('--socket <path>', 'socket of the engine, where it is not the usual one')
    .addOption(JSON_OPTION())
    .action(build);
}
