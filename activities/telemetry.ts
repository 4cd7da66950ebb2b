/**
 * What activities tell those who watch the machines: metrics (Prometheus) and attributes of spans (OpenTelemetry).
 * Where nobody listens, both cost nothing. Labels are few, and never name a subject: study, step, outcome, code.
 */
import { trace } from '@opentelemetry/api';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { type MetricMeter, type Next, noopMetricMeter } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor } from '@temporalio/worker';
import type { Outcome, ToolIdentity } from '../containers/runtime.ts';
import type { StepRun } from '../pipeline/step.ts';
import type { Capacity } from './admission.ts';
import type { StepRecord } from './store.ts';

const MIB = 1024 * 1024;

/** Metrics of steps; the SDK's own, `temporal_...`, stand beside them. */
export const METRICS = {
  /** Histogram of the time a tool ran; labels study, step, outcome. */
  duration: 'delta_md_step_duration_seconds',
  /** Histogram of the highest memory seen in use by a tool; labels study, step, outcome. */
  memory: 'delta_md_step_peak_memory_bytes',
  /** Counter of results handed on; labels study, step, reused. */
  results: 'delta_md_step_results_total',
  /** Counter of bytes written as results; labels study, step. */
  bytes: 'delta_md_step_output_bytes_total',
  /** Counter of tries that failed; labels study, step, code. */
  failures: 'delta_md_failures_total',
  /** Gauges of what the worker may use of its host, and what no step has taken. */
  cpus: 'delta_md_host_cpus',
  freeCpus: 'delta_md_host_free_cpus',
  memoryBytes: 'delta_md_host_memory_bytes',
  freeMemory: 'delta_md_host_free_memory_bytes',
} as const;

/** Bounds of the histograms' buckets: a step takes from a tenth of a second to hours, and up to 64 GiB. */
export const BUCKETS: Readonly<Record<string, number[]>> = {
  [METRICS.duration]: [
    0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400,
  ],
  [METRICS.memory]: Array.from({ length: 12 }, (_, i) => 32 * MIB * 2 ** i),
};

/** Made once: the SDK never lets go of an instrument. */
const instrumentsOf = (meter: MetricMeter) => ({
  duration: meter.createHistogram(METRICS.duration, 'float', 's', 'time a tool ran'),
  memory: meter.createHistogram(METRICS.memory, 'int', 'By', 'highest memory seen in use by a tool'),
  results: meter.createCounter(METRICS.results, undefined, 'results handed on'),
  bytes: meter.createCounter(METRICS.bytes, 'By', 'bytes written as results'),
  failures: meter.createCounter(METRICS.failures, undefined, 'tries that failed'),
  cpus: meter.createGauge(METRICS.cpus, 'int', undefined, 'cores that steps may use'),
  freeCpus: meter.createGauge(METRICS.freeCpus, 'int', undefined, 'cores that no step has taken'),
  memoryBytes: meter.createGauge(METRICS.memoryBytes, 'int', 'By', 'memory that steps may use'),
  freeMemory: meter.createGauge(METRICS.freeMemory, 'int', 'By', 'memory that no step has taken'),
});

let instruments = instrumentsOf(noopMetricMeter);

/** Measures for this meter from now on, in the whole process; before, nothing is measured. */
export function measureFor(meter: MetricMeter): void {
  instruments = instrumentsOf(meter);
}

/** What a host has for steps, and what of it is free. */
export function observeHost(total: Capacity, free: Capacity): void {
  instruments.cpus.set(total.cpus);
  instruments.freeCpus.set(free.cpus);
  instruments.memoryBytes.set(total.memoryMiB * MIB);
  instruments.freeMemory.set(free.memoryMiB * MIB);
}

/** Ids of workflows begin with the study's name. */
function labels(step: string): { study: string; step: string } {
  const { workflowExecution } = Context.current().info;
  return { study: workflowExecution?.workflowId.split('/')[0] ?? '', step };
}

/** Names a step's span after it, and says what is to be run. */
export function observeStep(run: StepRun, tool: ToolIdentity, key: string): void {
  trace
    .getActiveSpan()
    ?.updateName(run.name)
    .setAttributes({
      'delta_md.step': run.name,
      'delta_md.key': key,
      'delta_md.tool': run.argv[0],
      'delta_md.tool.version': tool.version,
      'delta_md.tool.digest': tool.digest,
      'process.command_args': [...run.argv],
    });
}

/** How a tool ended, well or not. */
export function observeOutcome(run: StepRun, outcome: Outcome): void {
  const { exitCode, signal, seconds, peakMemoryMiB } = outcome;
  const peak = peakMemoryMiB === undefined ? undefined : Math.round(peakMemoryMiB * MIB);
  const tags = { ...labels(run.name), outcome: outcomeName(outcome) };
  instruments.duration.record(seconds, tags);
  if (peak !== undefined) instruments.memory.record(peak, tags);
  trace.getActiveSpan()?.setAttributes({
    'delta_md.outcome': tags.outcome,
    'process.exit.code': exitCode ?? undefined,
    'delta_md.signal': signal,
    'delta_md.peak_memory_bytes': peak,
  });
}

function outcomeName({ outOfMemory, timedOut, exitCode }: Outcome): string {
  if (outOfMemory) return 'out_of_memory';
  if (timedOut) return 'timed_out';
  return exitCode === 0 ? 'done' : 'failed';
}

/** A result that is handed on, made now or found. */
export function observeResult({ step, outputs }: StepRecord, reused: boolean): void {
  const tags = labels(step);
  instruments.results.add(1, { ...tags, reused });
  if (!reused) {
    const bytes = Object.values(outputs).reduce((sum, output) => sum + output.bytes, 0);
    instruments.bytes.add(bytes, tags);
  }
  trace.getActiveSpan()?.setAttribute('delta_md.reused', reused);
}

/** Counts tries that failed, by code; to stand outside of the interceptor that gives failures their code. */
export class FailureCounter implements ActivityInboundCallsInterceptor {
  async execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      if (error instanceof ApplicationFailure) {
        const code = error.type ?? 'INTERNAL';
        const { run } = (input.args[0] ?? {}) as { run?: StepRun };
        const tags = labels(run?.name ?? Context.current().info.activityType);
        instruments.failures.add(1, { ...tags, code });
        trace.getActiveSpan()?.setAttribute('delta_md.failure', code);
      }
      throw error;
    }
  }
}
