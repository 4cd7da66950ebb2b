// Before `npm start` and `npm test`: packages as the lock file says, and a dist that is newer than the sources.
// Runs on bare Node, before any package is there.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(`delta-md needs Node.js 20 or later; this is ${process.version}.`);
  process.exit(3);
}

/** True when the stamp file holds this content. */
const isCurrent = (stamp, content) => existsSync(stamp) && readFileSync(stamp, 'utf8') === content;

const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
if (!isCurrent('node_modules/.delta-md-lock', lock)) {
  console.log('Installing packages (npm ci) ...');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  writeFileSync('node_modules/.delta-md-lock', lock);
}

const SOURCES = [
  'activities',
  'cli',
  'config',
  'containers',
  'imaging',
  'pipeline',
  'scripts',
  'statistics',
  'workflows',
];
const hash = createHash('sha256').update(lock);
for (const folder of SOURCES)
  for (const entry of readdirSync(folder, { recursive: true }).sort()) {
    const path = join(folder, entry);
    if (statSync(path).isFile()) hash.update(path).update(readFileSync(path));
  }
const sources = hash.digest('hex');
if (!isCurrent('dist/.sources', sources)) {
  console.log('Building ...');
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
  writeFileSync('dist/.sources', sources);
}
