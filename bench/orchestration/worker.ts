/** A worker whose steps do nothing, as a process of its own: ADDRESS QUEUE. Says when it is ready. */
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { noopActivities, noopWorkers } from '../../test/integration/noop.ts';

const [address, taskQueue] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const connection = await NativeConnection.connect({ address });
const { stopped } = await noopWorkers(connection, taskQueue, noopActivities().activities);
process.send?.('ready');
await stopped;
