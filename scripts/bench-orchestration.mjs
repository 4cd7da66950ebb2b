import { runBundled } from './run-bundled.mjs';

await runBundled('dist/bench/orchestration', {
  main: 'bench/orchestration/main.ts',
  worker: 'bench/orchestration/worker.ts',
});
