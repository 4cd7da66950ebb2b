/** Prometheus metrics of a worker: the SDK's, `temporal_...`, and our own, `delta_md_...`, at one address. */
import type { MetricsExporterConfig } from '@temporalio/worker';
import { BUCKETS } from '../../activities/telemetry.ts';

const MINUTE_MS = 60_000;
/** Steps of a large cohort wait for hours; the SDK's own bounds end at seconds. */
const WAIT_MS = [10, 100, 1000, 10_000, ...[1, 5, 15, 60, 240, 1440].map((minutes) => minutes * MINUTE_MS)];

/** @param port all interfaces of the host answer at it, under /metrics: nothing there names a subject or a file */
export function prometheus(port: number): MetricsExporterConfig {
  return {
    prometheus: {
      bindAddress: `0.0.0.0:${port}`,
      histogramBucketOverrides: { ...BUCKETS, activity_schedule_to_start_latency: WAIT_MS },
    },
  };
}
