// Builds dist/: the compiled house, the workflows' bundle, the toolkit's bundle.

import { execFileSync } from 'node:child_process';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const started = Date.now();
await rm('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
await chmod('dist/cli/main.js', 0o755);

// A failure's message is a payload where payloads are encrypted, so workflows come in two bundles.
const failureConverterPath = fileURLToPath(
  new URL('../dist/cli/temporal/failure-converter.js', import.meta.url),
);
const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
for (const [file, options] of [
  ['workflow-bundle.js', {}],
  ['workflow-bundle-encrypted.js', { failureConverterPath }],
]) {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../dist/workflows/index.js', import.meta.url)),
    workflowInterceptorModules: [fileURLToPath(new URL('../dist/workflows/tracing.js', import.meta.url))],
    logger: new DefaultLogger('WARN'),
    ...options,
  });
  await writeFile(`dist/${file}`, code);
}
// Workers and clients load it by require().
await build({
  entryPoints: [failureConverterPath],
  outfile: 'dist/failure-converter.cjs',
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  logLevel: 'warning',
});

await import('./bundle-toolkit.mjs');
console.log(`Built dist in ${((Date.now() - started) / 1000).toFixed(0)} s`);
