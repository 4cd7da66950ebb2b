// Builds dist/: the compiled house, the workflows' bundle, the toolkit's bundle.

import { execFileSync } from 'node:child_process';
import { chmod, rm, writeFile } from 'node:fs/promises';

const started = Date.now();
await rm('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
await chmod('dist/cli/main.js', 0o755);

const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
const { code } = await bundleWorkflowCode({
  workflowsPath: new URL('../dist/workflows/index.js', import.meta.url).pathname,
  workflowInterceptorModules: [new URL('../dist/workflows/tracing.js', import.meta.url).pathname],
  logger: new DefaultLogger('WARN'),
});
await writeFile('dist/workflow-bundle.js', code);

await import('./bundle-toolkit.mjs');
console.log(`Built dist in ${((Date.now() - started) / 1000).toFixed(0)} s`);
