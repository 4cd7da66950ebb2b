/**
 * Puts messages and stacks of failures into payloads, so that they are encrypted like everything else. The SDK loads it
 * by path, in workers and inside the workflows' bundle: the build makes one file of it.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
