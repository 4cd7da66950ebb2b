/** Dashboard and alerts ask for what a worker exposes: test/fixtures/metrics.json was recorded from one. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../activities/telemetry.ts';
import { isTracing } from '../../cli/temporal/tracing.ts';
import { FAILURES } from '../../pipeline/failures.ts';
import { alerts, dashboard, filledIn, groupedBy, metricsIn, panels } from '../monitoring.ts';

const exposed: Record<string, string[]> = JSON.parse(
  readFileSync(new URL('../fixtures/metrics.json', import.meta.url), 'utf8'),
);
/** Prometheus adds these to each sample itself. */
const ADDED = ['job', 'instance'];
const labelsOf = (name: string) => [...(name === 'up' ? [] : (exposed[name] ?? [])), ...ADDED];
const all = [...panels, ...alerts];

describe('dashboard and alerts', () => {
  it.each(all.map(({ where, text }) => [where, text]))(
    '%s asks for metrics and labels of a worker',
    (_, text) => {
      const metrics = metricsIn(text);
      expect(metrics).not.toHaveLength(0);
      for (const { name, labels } of metrics) {
        if (name !== 'up') expect(Object.keys(exposed)).toContain(name);
        for (const label of labels) expect(labelsOf(name), name).toContain(label);
      }
      const known = metrics.flatMap(({ name }) => labelsOf(name));
      for (const label of groupedBy(text)) expect(known).toContain(label);
    },
  );

  it('name no code of failure that does not exist', () => {
    for (const { text, where } of all)
      for (const [, codes] of text.matchAll(/code!?=~?"([^"]*)"/g))
        for (const code of codes.split('|')) expect(Object.keys(FAILURES), where).toContain(code);
  });

  it('show every metric of our own', () => {
    const shown = all
      .flatMap(({ text }) => metricsIn(text))
      .map(({ name }) => name.replace(/_(bucket|count)$/, ''));
    expect(shown).toEqual(expect.arrayContaining(Object.values(METRICS)));
  });

  it('use no variable that the dashboard does not have', () => {
    const variables = dashboard.templating.list.map(({ name }) => name);
    expect(variables).toEqual(['datasource', 'study']);
    for (const { text, where } of panels) expect(filledIn(text), where).not.toContain('$');
  });
});

describe('traces', () => {
  it.each([
    [{}, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' }, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://localhost:4318/v1/traces' }, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_SDK_DISABLED: 'true' }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_TRACES_EXPORTER: 'none' }, false],
  ])('%j: %s', (env, on) => {
    expect(isTracing(env)).toBe(on);
  });
});
