// Bundles bench and runs it: Node 20 does not load TypeScript by itself.
import { build } from 'esbuild';

const outfile = 'dist/bench/main.mjs';
await build({
  entryPoints: ['bench/main.ts'],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
});
await import(`../${outfile}`);
