/** Who asks a task queue for work, as the server knows it. */
import type { ConnectionLike } from '@temporalio/client';
import { NAMESPACE } from './embedded.ts';

/** temporal.api.enums.v1.TaskQueueType */
export const WORKFLOW_QUEUE = 1;
export const ACTIVITY_QUEUE = 2;

export interface Poller {
  readonly identity: string;
  /** When it last asked, seconds since 1970. */
  readonly lastSeconds: number;
}

/** @returns the pollers of a queue; none, too, where the server does not say within `seconds` */
export async function pollersOf(
  connection: ConnectionLike,
  taskQueue: string,
  taskQueueType: typeof WORKFLOW_QUEUE | typeof ACTIVITY_QUEUE,
  seconds: number,
): Promise<Poller[]> {
  try {
    const { pollers } = await connection.withDeadline(Date.now() + seconds * 1000, () =>
      connection.workflowService.describeTaskQueue({
        namespace: NAMESPACE,
        taskQueue: { name: taskQueue },
        taskQueueType,
      }),
    );
    return (pollers ?? []).map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      lastSeconds: Number(lastAccessTime?.seconds ?? 0),
    }));
  } catch {
    return [];
  }
}
