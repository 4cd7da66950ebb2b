import { runBundled } from './run-bundled.mjs';

await runBundled('dist/detection', { main: 'test/detection/main.ts' });
