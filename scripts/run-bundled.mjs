// Bundles TypeScript programs of test/ and bench/ and runs the one named main: Node 20 does not load TypeScript by itself.
import { build } from 'esbuild';

/** @param entryPoints name -> source file; `main` is run @param outdir below dist/ */
export async function runBundled(outdir, entryPoints) {
  await build({
    entryPoints,
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
}
