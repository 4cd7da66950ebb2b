/** The expressions of dashboard and alerts, for tests of both. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url));

/** One PromQL expression, and where it stands. */
export interface Expression {
  readonly where: string;
  readonly text: string;
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

export const dashboard: Dashboard = JSON.parse(readFileSync(`${EXAMPLES}/grafana/delta-md.json`, 'utf8'));

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

const rules: Rules = parse(readFileSync(`${EXAMPLES}/prometheus-alerts.yml`, 'utf8'));

export const panels: readonly Expression[] = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ where: `panel "${title}"`, text: expr })),
);

export const alerts: readonly Expression[] = rules.groups.flatMap((group) =>
  group.rules.map(({ alert, expr }) => ({ where: `alert ${alert}`, text: expr })),
);

/** An expression with what Grafana puts in for its variables. */
export function filledIn(text: string): string {
  return text.replaceAll('$study', '.*').replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h');
}

/** The metrics that an expression names, each with the labels by which it selects. */
export function metricsIn(text: string): { name: string; labels: string[] }[] {
  return [...text.matchAll(/\b(up|(?:temporal|delta_md)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name, selector = '']) => ({
      name,
      labels: [...selector.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label),
    }),
  );
}

/** The labels by which an expression groups. */
export function groupedBy(text: string): string[] {
  return [...text.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/\s*,\s*/));
}
