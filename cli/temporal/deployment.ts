/**
 * Workers with versions (Temporal's Worker Deployments). A subject stays on the version it was started by, so that all
 * of its numbers are made by one; the cohort goes on with whichever version is current. The old workers are stopped when
 * the last of their subjects has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { CommandError, EXIT } from '../exit-codes.ts';
import { NAMESPACE } from './embedded.ts';

const DEPLOYMENT = 'delta-md';
/** The server knows a version once its first poll has come. */
const NOTICE_SECONDS = 30;

export function deploymentOf(buildId: string): WorkerDeploymentOptions {
  return {
    version: { deploymentName: DEPLOYMENT, buildId },
    useWorkerVersioning: true,
    // The subject's workflow says for itself that it is pinned.
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  };
}

/** New work goes to this version from now on. @throws CommandError where the server never heard of it */
export async function makeCurrent(client: Client, buildId: string): Promise<void> {
  for (let waited = 0; ; waited++) {
    try {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: NAMESPACE,
        deploymentName: DEPLOYMENT,
        buildId,
        ignoreMissingTaskQueues: true,
        identity: `delta-md worker ${process.pid}`,
      });
      return;
    } catch (error) {
      if (waited >= NOTICE_SECONDS)
        throw new CommandError(
          `Build ${buildId} cannot be made current: ${(error as Error).message}`,
          EXIT.infrastructure,
        );
      await sleep(1000);
    }
  }
}
