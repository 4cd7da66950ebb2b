import { runBundled } from './run-bundled.mjs';

await runBundled('dist/calibration', { main: 'test/calibration/main.ts' });
