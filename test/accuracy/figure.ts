/**
 * What `npm run accuracy` measures: one row per figure with the bound it must keep. A group measures what belongs
 * together; it runs the tools as a user does, by command line, on scans whose truth is known or that FSL has processed.
 */

/** A bound that a figure must keep. */
export type Bound = { readonly atLeast: number } | { readonly atMost: number };

export interface Figure {
  /** What is measured, such as `field against truth, RMSE in the brain`. */
  readonly what: string;
  readonly value: number;
  /** `voxel`, `mm`, `%`; empty for correlations and counts. */
  readonly unit: string;
  readonly bound: Bound;
  /** FSL's own figure for the same data, where it is known. */
  readonly fsl?: number;
}

/** A tool's run. */
export interface Run {
  readonly seconds: number;
  /** Largest resident set of the process. */
  readonly peakMb: number;
  readonly stdout: string;
}

/** What a group measures with. */
export interface Laboratory {
  /** Folder of this group for whatever it writes; empty at its start. */
  readonly folder: string;
  /** The folder `shared/` with the reference results. */
  readonly shared: string;
  /** Runs a tool of the toolkit in `folder`; throws with its messages when it fails. */
  run(tool: string, ...argv: readonly string[]): Promise<Run>;
  say(message: string): void;
}

/** Figures that belong together; a section of docs/validation.md. */
export interface Group {
  /** One word for the command line, such as `topup`. */
  readonly name: string;
  readonly title: string;
  /** A paragraph on the data and the measure, for the reader of docs/validation.md. */
  readonly method: string;
  measure(laboratory: Laboratory): Promise<Figure[]>;
}

/** True when a figure keeps its bound. Not a number: it does not. */
export function keeps({ value, bound }: Figure): boolean {
  return 'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost;
}

/** A value as tables print it: four digits. */
export function shown(value: number): string {
  return Number.isFinite(value) ? Number(value.toPrecision(4)).toString() : 'none';
}

/** A figure as a row of the printed table. */
export function line(figure: Figure): string {
  const { what, value, unit, bound, fsl } = figure;
  const limit = 'atLeast' in bound ? `>= ${shown(bound.atLeast)}` : `<= ${shown(bound.atMost)}`;
  return [
    keeps(figure) ? 'pass' : 'FAIL',
    what.padEnd(72),
    `${shown(value)} ${unit}`.padStart(16),
    limit.padStart(12),
    fsl === undefined ? '' : `FSL ${shown(fsl)}`,
  ].join('  ');
}
