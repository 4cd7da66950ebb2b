// The images of docker-compose.yml: the public ones, or stand-ins made from Debian and Go packages where no registry of
// images can be reached. Their names are variables of docker-compose.yml, which holds the versions.
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { findCli } from '../../dist/cli/temporal/find-cli.js';
import { cache } from './folder.mjs';

const DEBIAN = 'bookworm';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** Variable -> public image, as docker-compose.yml gives them; the worker's is never pulled. */
async function publicImages() {
  const text = await readFile('docker-compose.yml', 'utf8');
  const found = [...text.matchAll(/\$\{(\w+_IMAGE):-([^}]+)\}/g)].map(([, name, image]) => [name, image]);
  const { WORKER_IMAGE: _, ...images } = Object.fromEntries(found);
  return images;
}

const isHere = (image) =>
  execa('docker', ['image', 'inspect', image]).then(
    () => true,
    () => false,
  );

/** True when every public image is on this machine or can be fetched. */
export async function pullPublic(say) {
  for (const image of Object.values(await publicImages())) {
    if (await isHere(image)) continue;
    say(`Pulling ${image} ...`);
    const { failed, shortMessage } = await execa('docker', ['pull', '--quiet', image], {
      reject: false,
      timeout: 600_000,
    });
    if (failed) {
      say(`It cannot be pulled: ${shortMessage}`);
      return false;
    }
  }
  return true;
}

/** On the host's network: registries of packages are reached as from this machine, proxies and all. */
async function build(image, say, ...words) {
  say(`Building ${image} ...`);
  await execa('docker', ['build', '--network', 'host', '--tag', image, ...words]);
}

/** A small Debian, without a registry of images. */
async function buildBase(image, say) {
  if (await isHere(image)) return;
  say(`Making ${image} by debootstrap ...`);
  const root = join(cache, 'debian');
  await rm(root, { recursive: true, force: true });
  const packages = 'ca-certificates,busybox,libstdc++6';
  await execa('debootstrap', ['--variant=minbase', `--include=${packages}`, DEBIAN, root]);
  await rm(join(root, 'var', 'cache', 'apt', 'archives'), { recursive: true, force: true });
  const tar = execa('tar', ['-C', root, '-c', '.'], { buffer: false, encoding: 'buffer' });
  await tar.pipe('docker', ['import', '--message', `debootstrap ${DEBIAN}`, '-', image]);
  await rm(root, { recursive: true, force: true });
}

/** Builds a program of a Go module, once per version. @returns its path */
async function goProgram(name, module, version, path, say) {
  const kept = join(cache, 'go', `${name}-${version}`);
  if (existsSync(kept)) return kept;
  say(`Building ${name} ${version} (once, minutes) ...`);
  const folder = `${kept}.part`;
  await execa('go', ['install', '-ldflags', '-s -w', `${module}/${path}@${version}`], {
    env: { CGO_ENABLED: '0', GOBIN: folder },
  });
  await rename(join(folder, path.split('/').at(-1)), kept);
  await rm(folder, { recursive: true });
  return kept;
}

const versionOf = (image) => `v${image.split(':')[1]}`;
const serverModule = (images) => ['go.temporal.io/server', versionOf(images.TEMPORAL_IMAGE)];

/** Temporal's server and its tool for databases, of the version that docker-compose.yml names, and the tables' schema. */
export async function temporalPrograms(say) {
  const module = serverModule(await publicImages());
  return {
    server: await goProgram('temporal-server', ...module, 'cmd/server', say),
    sqlTool: await goProgram('temporal-sql-tool', ...module, 'cmd/tools/sql', say),
    schema: join(await goSources(...module), 'schema', 'postgresql', 'v12'),
  };
}

/** Folder of a Go module's sources. */
async function goSources(module, version) {
  const { stdout } = await execa('go', ['mod', 'download', '-json', `${module}@${version}`]);
  return JSON.parse(stdout).Dir;
}

async function copySources(from, to) {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true });
  // Go keeps its sources read-only.
  await execa('chmod', ['-R', 'u+w', to]);
}

async function temporalContext(context, images, say) {
  const server = serverModule(images);
  const { server: program, sqlTool } = await temporalPrograms(say);
  const ui = ['github.com/temporalio/ui-server/v2', versionOf(images.TEMPORAL_UI_IMAGE)];
  const programs = {
    'temporal-server': program,
    'temporal-sql-tool': sqlTool,
    'ui-server': await goProgram('ui-server', ...ui, 'cmd/server', say),
  };
  for (const [name, path] of Object.entries(programs)) await copyFile(path, join(context, 'bin', name));
  const { path } = await findCli(say);
  await copyFile(path, join(context, 'bin', 'temporal'));
  const sources = await goSources(...server);
  await copySources(join(sources, 'schema', 'postgresql'), join(context, 'schema', 'postgresql'));
  await copySources(
    join(sources, 'docker', 'scripts', 'sh', 'entrypoint.sh'),
    join(context, 'entrypoint.sh'),
  );
  await chmod(join(context, 'entrypoint.sh'), 0o755);
  await copySources(
    join(await goSources(...ui), 'config', 'docker.yaml'),
    join(context, 'ui', 'docker.yaml'),
  );
}

/** Node of this machine with npm, under the paths of the public image. */
async function nodeContext(context) {
  const node = join(context, 'node');
  await mkdir(join(node, 'bin'), { recursive: true });
  await copyFile(await realpath(process.execPath), join(node, 'bin', 'node'));
  const { stdout } = await execa('npm', ['root', '--global']);
  await cp(join(stdout, 'npm'), join(node, 'lib', 'node_modules', 'npm'), { recursive: true });
  await copyFile(CERTIFICATES, join(context, 'ca-certificates.crt'));
}

/**
 * Makes every image but the worker's.
 * @returns variables of docker-compose.yml, and `base`, what the worker's image is to be built on
 */
async function standIns(say) {
  const images = await publicImages();
  const base = `delta-md-stack/debian:${DEBIAN}`;
  await buildBase(base, say);
  const context = join(cache, 'context');
  await rm(context, { recursive: true, force: true });
  await mkdir(join(context, 'bin'), { recursive: true });
  await temporalContext(context, images, say);
  await nodeContext(context);
  await cp('containers/stack', context, { recursive: true });
  const target = async (stage) => {
    const image = `delta-md-stack/${stage}:local`;
    await build(image, say, '--build-arg', `BASE=${base}`, '--target', stage, context);
    return image;
  };
  const variables = {
    POSTGRES_IMAGE: await target('postgres'),
    TEMPORAL_IMAGE: await target('server'),
    TEMPORAL_ADMIN_IMAGE: await target('admin-tools'),
    TEMPORAL_UI_IMAGE: await target('ui'),
  };
  return { variables, base: await target('node') };
}

/** All images, the worker's among them. @returns the variables that docker-compose.yml wants */
export async function images(local, say) {
  const { variables, base } = local ? await standIns(say) : { variables: {}, base: undefined };
  const worker = 'delta-md-stack/worker:local';
  const onBase = base ? ['--build-arg', `BASE=${base}`] : [];
  await build(worker, say, '--file', 'containers/worker/Dockerfile', ...onBase, '.');
  return { ...variables, WORKER_IMAGE: worker };
}
