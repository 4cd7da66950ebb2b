import { runBundled } from './run-bundled.mjs';

await runBundled('dist/soak', { main: 'test/soak/main.ts' });
