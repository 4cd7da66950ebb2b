/**
 * What those who watch the machines get from a real worker: metrics, and traces. The names of its metrics are kept in
 * test/fixtures/metrics.json, by which test/unit/monitoring.test.ts checks dashboard and alerts; written again with
 *   RECORD_METRICS=1 npx vitest run test/integration/telemetry.test.ts
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../activities/telemetry.ts';
import { connect } from '../../cli/temporal/connect.ts';
import { findCli } from '../../cli/temporal/find-cli.ts';
import { flushTraces, NO_SPANS, tracing } from '../../cli/temporal/tracing.ts';
import { COHORT_WORKFLOW } from '../../pipeline/messages.ts';
import { rosterOf } from '../../pipeline/roster.ts';
import type { cohortWorkflow } from '../../workflows/index.ts';
import { alerts, filledIn, metricsIn, panels } from '../monitoring.ts';
import { type Span, startCollector } from './collector.ts';
import { catalogueOf, type Sample, samplesOf } from './exposition.ts';
import {
  deltaMd,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  start,
  waitFor,
  writeSet,
} from './harness.ts';
import { noopActivities, noopPlan, noopWorkers } from './noop.ts';
import { hasPrometheus, startPrometheus } from './prometheus.ts';
import { freePort } from './server.ts';

const CATALOGUE = fileURLToPath(new URL('../fixtures/metrics.json', import.meta.url));

const BUNDLE = { codePath: fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url)) };

describe('a cohort of which one subject fails, on a worker that is watched', () => {
  let env: TestWorkflowEnvironment;
  let collector: Awaited<ReturnType<typeof startCollector>>;
  let study: Study;
  let worker: Running;
  let samples: Sample[];
  let spans: readonly Span[];
  let prometheus: Awaited<ReturnType<typeof startPrometheus>> | undefined;
  /** What Prometheus answered each panel while the worker ran. */
  let answers: { where: string; values: number[] }[];
  let rules: Awaited<ReturnType<NonNullable<typeof prometheus>['rules']>> | undefined;

  beforeAll(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    const { path } = await findCli();
    env = await TestWorkflowEnvironment.createLocal({
      server: { executable: { type: 'existing-path', path } },
    });
    collector = await startCollector();
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = collector.endpoint;
    study = await makeStudy(2);
    await writeSet(study, 'sub-02', 'post', 'AP', 666);
    const port = await freePort();
    const server = ['--temporal-address', env.address];
    worker = start('worker', ...server, '--metrics-port', `${port}`);
    if (hasPrometheus()) prometheus = await startPrometheus(port, await freePort());
    const first = await deltaMd('run', study.file, ...server);
    expect(first.stdout).toContain('1 done, 1 failed');
    // Again: the failed subject finds what was finished.
    await deltaMd('run', study.file, ...server);
    samples = samplesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
    if (prometheus) {
      const ask = prometheus.query;
      const done = 'temporal_workflow_completed{workflow_type="cohortWorkflow"} == 2';
      await waitFor(async () => (await ask(done)).length > 0);
      answers = await Promise.all(
        panels.map(async ({ where, text }) => ({
          where,
          values: (await ask(filledIn(text))).map(({ value }) => Number(value[1])),
        })),
      );
      await waitFor(
        async () => (await prometheus?.rules())?.every(({ health }) => health !== 'unknown') ?? true,
      );
      rules = await prometheus.rules();
    }
    worker.child.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
    ({ spans } = collector);
  });
  afterAll(async () => {
    delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
    worker?.child.kill('SIGKILL');
    await prometheus?.stop();
    await collector?.close();
    await env?.teardown();
    await removeStudy(study);
  });

  const sum = (name: string, labels: Readonly<Record<string, string>>) =>
    samples
      .filter((s) => s.name === name && Object.entries(labels).every(([key, text]) => s.labels[key] === text))
      .reduce((total, { value }) => total + value, 0);

  describe('metrics', () => {
    it('time every run of a tool by its outcome', () => {
      const runs = (labels: Record<string, string>) =>
        sum(`${METRICS.duration}_count`, { study: 'test', ...labels });
      expect(runs({ step: 'fsl_reg', outcome: 'done' })).toBe(1);
      expect(runs({ step: 'eddy', outcome: 'done' })).toBe(3);
      // Once, its retry, and both again in the second run.
      expect(runs({ step: 'eddy', outcome: 'failed' })).toBe(4);
      expect(sum(`${METRICS.duration}_sum`, { step: 'eddy' })).toBeGreaterThan(0.1);
      const { length } = samples.filter(
        (s) => s.name === `${METRICS.duration}_bucket` && s.labels['le'] === '86400',
      );
      expect(length).toBeGreaterThan(0);
    });

    it('count failures by code, results and bytes', () => {
      expect(sum(METRICS.failures, { step: 'eddy', code: 'TOOL_FAILED' })).toBe(4);
      expect(sum(METRICS.failures, {})).toBe(4);
      expect(sum(METRICS.results, { step: 'topup', reused: 'false' })).toBe(4);
      expect(sum(METRICS.results, { step: 'topup', reused: 'true' })).toBeGreaterThanOrEqual(2);
      expect(sum(METRICS.bytes, { step: 'dtifit' })).toBeGreaterThan(1000);
    });

    it('know the highest memory', () => {
      expect(sum(`${METRICS.memory}_count`, { step: 'eddy' })).toBeGreaterThan(0);
    });

    it('never name a subject', () => {
      expect(JSON.stringify(samples)).not.toMatch(/sub-0/);
    });

    it('are those that dashboard and alerts were checked with', async () => {
      if (process.env['RECORD_METRICS'])
        await writeFile(CATALOGUE, `${JSON.stringify(catalogueOf(samples), null, 2)}\n`);
      const recorded: Record<string, string[]> = JSON.parse(await readFile(CATALOGUE, 'utf8'));
      const now = catalogueOf(samples);
      for (const { name } of [...panels, ...alerts].flatMap(({ text }) => metricsIn(text)))
        if (name !== 'up') expect(now[name], name).toEqual(expect.arrayContaining(recorded[name]));
    });
  });

  describe.runIf(hasPrometheus())('a real Prometheus', () => {
    it.each(panels.map(({ where }) => where))('finds numbers for %s', (where) => {
      for (const answer of answers.filter((one) => one.where === where)) {
        expect(answer.values).not.toHaveLength(0);
        expect(answer.values.some(Number.isFinite), `${answer.values}`).toBe(true);
      }
    });

    it('evaluates every alert', () => {
      expect(rules?.map(({ name }) => `alert ${name}`)).toEqual(alerts.map(({ where }) => where));
      for (const { name, health, lastError } of rules ?? [])
        expect(health, `${name}: ${lastError}`).toBe('ok');
    });
  });

  describe('traces', () => {
    const parent = (span: Span) => spans.find(({ spanId }) => spanId === span.parentSpanId);
    /** Names from the root down to a span. */
    const path = (span: Span | undefined): string[] => (span ? [...path(parent(span)), span.name] : []);
    const named = (name: string) => spans.filter((span) => span.name === name);

    it('all reach the collector', () => {
      expect(worker.said()).not.toContain('OpenTelemetry:');
    });

    it('lead from the command over cohort and subject to each step', () => {
      expect(path(named('fsl_reg')[0])).toEqual([
        'StartWorkflow:cohortWorkflow',
        'RunWorkflow:cohortWorkflow',
        'StartChildWorkflow:subjectWorkflow',
        'RunWorkflow:subjectWorkflow',
        'StartActivity:runStep',
        'fsl_reg',
      ]);
    });

    it('hold each run in one trace, every span of which has its parent', () => {
      const roots = spans.filter((span) => span.parentSpanId === undefined);
      expect(roots.map(({ name }) => name)).toEqual([
        'StartWorkflow:cohortWorkflow',
        'StartWorkflow:cohortWorkflow',
      ]);
      for (const span of spans) {
        const up = parent(span);
        if (span.parentSpanId) expect(up?.traceId, span.name).toBe(span.traceId);
      }
    });

    it('say what ran: tool, version, key, exit', () => {
      const { attributes, service } = named('fsl_reg')[0];
      expect(service).toBe('delta-md');
      expect(attributes).toMatchObject({
        'delta_md.tool': 'fsl_reg',
        'delta_md.reused': false,
        'delta_md.outcome': 'done',
        'process.exit.code': 0,
        temporalWorkflowId: 'test/sub-01',
      });
      expect(attributes['delta_md.key']).toMatch(/^[0-9a-f]{64}$/);
      expect(attributes['delta_md.tool.version']).toBeTruthy();
      expect(attributes['process.command_args']).toContain('fsl_reg');
      expect(
        named('topup').filter((span) => span.attributes['delta_md.reused'] === true).length,
      ).toBeGreaterThan(0);
    });

    it('mark what failed, by its code', () => {
      const failed = named('eddy').filter((span) => span.failed);
      expect(failed).toHaveLength(4);
      for (const { attributes } of failed)
        expect(attributes).toMatchObject({ 'delta_md.failure': 'TOOL_FAILED', 'process.exit.code': 1 });
      const subjects = named('RunWorkflow:subjectWorkflow');
      expect(
        subjects.filter(({ failed }) => failed).map(({ attributes }) => attributes['workflowId']),
      ).toEqual(['test/sub-02', 'test/sub-02']);
    });

    it('go on where a cohort goes on as a new run of itself', async () => {
      const traces = await tracing();
      const taskQueue = 'paged';
      const { activities } = noopActivities();
      const worker = await noopWorkers(env.nativeConnection, taskQueue, activities, { sinks: traces?.sinks });
      const client = await connect(env.address);
      const roster = rosterOf(['sub-1', 'sub-2', 'sub-3'].map((subject) => ({ subject, status: 'waiting' })));
      await client.workflow.execute<typeof cohortWorkflow>(COHORT_WORKFLOW, {
        taskQueue,
        workflowId: 'paged/cohort',
        args: [{ plan: noopPlan('paged', 1), roster, page: 2 }],
      });
      await worker.stop();
      await client.connection.close();
      await flushTraces();
      const runs = named('RunWorkflow:cohortWorkflow')
        .filter(({ attributes }) => attributes['workflowId'] === 'paged/cohort')
        .map(path);
      const [begun, goneOn] = runs.sort((a, b) => a.length - b.length);
      expect(begun).toEqual(['StartWorkflow:cohortWorkflow', 'RunWorkflow:cohortWorkflow']);
      expect(goneOn).toEqual([...begun, 'ContinueAsNew:cohortWorkflow', 'RunWorkflow:cohortWorkflow']);
    });

    it.each(['test/cohort', 'test/sub-01', 'test/sub-02', 'paged/cohort'])(
      'leave %s deterministic: it replays where nobody traces',
      async (id) => {
        const history = await env.client.workflow.getHandle(id).fetchHistory();
        const started = history.events?.[0].workflowExecutionStartedEventAttributes;
        expect(started?.header?.fields).toHaveProperty('_tracer-data');
        await expect(
          Worker.runReplayHistory({ workflowBundle: BUNDLE, sinks: NO_SPANS }, history, id),
        ).resolves.toBeUndefined();
      },
    );
  });

  it('can be found in the UI by every filter of docs/temporal-ui.md', async () => {
    const page = await readFile(fileURLToPath(new URL('../../docs/temporal-ui.md', import.meta.url)), 'utf8');
    const filters = [...page.matchAll(/^\|.*\| `(.+)` \|$/gm)].map(([, filter]) => filter);
    expect(filters.length).toBeGreaterThan(5);
    const { workflow } = env.client;
    for (const filter of filters) await expect(workflow.count(filter), filter).resolves.toBeDefined();
    const found = await workflow.count("DeltaMdStudy = 'test' AND DeltaMdFailure STARTS_WITH 'TOOL_'");
    // Both runs of the subject that fails.
    expect(found.count).toBe(2);
  });
});
