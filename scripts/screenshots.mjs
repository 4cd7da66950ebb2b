import { runBundled } from './run-bundled.mjs';

await runBundled('dist/screenshots', { main: 'test/screenshots/main.ts' });
