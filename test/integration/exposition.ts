/** Prometheus' text format, as far as tests need it. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples of a page in the text format 0.0.4. */
export function samplesOf(page: string): Sample[] {
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) as RegExpExecArray;
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
      return {
        name,
        labels: Object.fromEntries(pairs.map(([, label, text]) => [label, text])),
        value: Number(value),
      };
    });
}

/** Name of every metric -> names of its labels, both sorted. */
export function catalogueOf(samples: readonly Sample[]): Record<string, string[]> {
  const names = [...new Set(samples.map(({ name }) => name))].sort();
  return Object.fromEntries(
    names.map((name) => {
      const labels = samples.filter((sample) => sample.name === name).flatMap((s) => Object.keys(s.labels));
      return [name, [...new Set(labels)].sort()];
    }),
  );
}
