// Bundles containers/toolkit into dist/toolkit: one ESM file, links named after the tools, and the start of its threads.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const out = 'dist/toolkit';
await rm(out, { recursive: true, force: true });
await mkdir(`${out}/bin`, { recursive: true });
await build({
  entryPoints: { toolkit: 'containers/toolkit/main.ts' },
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: false,
  logLevel: 'warning',
  // Some dependencies are CommonJS: they call require(), and piscina looks for its worker.js in __dirname.
  banner: {
    js: [
      "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);",
      "import { dirname as __dn } from 'node:path'; import { fileURLToPath as __fp } from 'node:url';",
      'const __dirname = __dn(__fp(import.meta.url));',
    ].join(' '),
  },
});
await build({
  entryPoints: { worker: 'node_modules/piscina/dist/worker.js' },
  outdir: out,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'error',
  // Optional, for a thread's priority.
  external: ['@napi-rs/nice'],
});
await writeFile(`${out}/package.json`, '{ "type": "commonjs" }\n');
await chmod(`${out}/toolkit.mjs`, 0o755);

// Links named after the tools, so that the folder can stand in PATH as FSL's own does.
const list = execFileSync(process.execPath, [`${out}/toolkit.mjs`, '--list'], { encoding: 'utf8' });
for (const tool of list.trim().split('\n')) await symlink('../toolkit.mjs', `${out}/bin/${tool}`);
const { version } = JSON.parse(await readFile('package.json', 'utf8'));
await writeFile(`${out}/toolkit.json`, `${JSON.stringify({ version })}\n`);
