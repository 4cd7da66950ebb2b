import { runBundled } from './run-bundled.mjs';

await runBundled('dist/accuracy', { main: 'test/accuracy/main.ts' });
