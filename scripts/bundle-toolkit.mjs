// Bundles containers/toolkit into dist/toolkit: one ESM file, links named after the tools, and the wasm it loads.
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
  // Some dependencies are CommonJS and call require().
  banner: {
    js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);",
  },
});
await chmod(`${out}/toolkit.mjs`, 0o755);

// Links named after the tools, so that the folder can stand in PATH as FSL's own does.
const list = execFileSync(process.execPath, [`${out}/toolkit.mjs`, '--list'], { encoding: 'utf8' });
for (const tool of list.trim().split('\n')) await symlink('../toolkit.mjs', `${out}/bin/${tool}`);
const { version } = JSON.parse(await readFile('package.json', 'utf8'));
await writeFile(`${out}/toolkit.json`, `${JSON.stringify({ version })}\n`);
