import { runBundled } from './run-bundled.mjs';

await runBundled('dist/bench', { main: 'bench/main.ts' });
