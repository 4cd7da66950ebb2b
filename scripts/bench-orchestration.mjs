// Bundles bench/orchestration and its worker, and runs it.
import { build } from 'esbuild';

const outdir = 'dist/bench/orchestration';
await build({
  entryPoints: { main: 'bench/orchestration/main.ts', worker: 'bench/orchestration/worker.ts' },
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
});
await import(`../${outdir}/main.mjs`);
