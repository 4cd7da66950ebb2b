/** From the choice in a study file to the runtime that runs its tools. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApptainerRuntime } from '../containers/apptainer.ts';
import { EngineRuntime } from '../containers/docker.ts';
import { connect } from '../containers/engine.ts';
import { ProcessRuntime } from '../containers/process.ts';
import type { Runtime } from '../containers/runtime.ts';
import { fslVersionWords } from '../pipeline/fsl-versions.ts';
import type { RuntimeChoice } from '../pipeline/study.ts';

/** The bundle of the built-in tools that this build of delta-md carries: `dist/toolkit`. */
export const TOOLKIT_FOLDER = fileURLToPath(new URL('../toolkit', import.meta.url));

/** One version string for an installed FSL, from its own file. */
async function fslVersion(fslDir: string): Promise<string> {
  const version = await readFile(join(fslDir, 'etc', 'fslversion'), 'utf8').catch(() => 'unknown version');
  return fslVersionWords(version);
}

async function make(choice: RuntimeChoice): Promise<Runtime> {
  if (choice.kind === 'apptainer') return new ApptainerRuntime(choice.image, choice);
  if (choice.kind !== 'process')
    return new EngineRuntime(choice.kind, choice.image, choice, connect(choice.kind, choice.socket));
  if (choice.fslDir)
    return new ProcessRuntime({
      bin: join(choice.fslDir, 'bin'),
      version: await fslVersion(choice.fslDir),
      fslDir: choice.fslDir,
      gpu: choice.gpu,
    });
  const toolkit = choice.toolkit ?? TOOLKIT_FOLDER;
  return new ProcessRuntime({
    bin: join(toolkit, 'bin'),
    version: await toolkitVersion(toolkit),
    bundle: join(toolkit, 'toolkit.mjs'),
  });
}

/** `delta-md toolkit 0.1.0 (1f2e3d4c)`; the digest tells builds of one version apart. */
async function toolkitVersion(folder: string): Promise<string> {
  const read = (name: string) => readFile(join(folder, name)).catch(() => Buffer.from(''));
  const { version } = JSON.parse((await read('toolkit.json')).toString() || '{"version":"?"}');
  const digest = createHash('sha256')
    .update(await read('toolkit.mjs'))
    .digest('hex');
  return `delta-md toolkit ${version} (${digest.slice(0, 8)})`;
}

const made = new Map<string, Promise<Runtime>>();

/** The runtime of a choice; one instance per worker and choice. */
export function runtimeFor(choice: RuntimeChoice): Promise<Runtime> {
  const name = JSON.stringify(choice);
  let runtime = made.get(name);
  if (!runtime) made.set(name, (runtime = make(choice)));
  return runtime;
}
