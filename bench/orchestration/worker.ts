/** A worker whose steps do nothing, as a process of its own: ADDRESS QUEUE. Says when it is ready. */
import { resolve } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { noopActivities } from '../../test/integration/noop.ts';

const [address, taskQueue] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle: { codePath: resolve('dist/workflow-bundle.js') },
  activities: noopActivities().activities,
  maxConcurrentActivityTaskExecutions: 40,
});
const stopped = worker.run();
process.send?.('ready');
await stopped;
