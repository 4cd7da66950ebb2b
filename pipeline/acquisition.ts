/**
 * What one session brings: its diffusion sets as plain data, and the small text files FSL wants about them. No I/O.
 */
import type { FileRef } from './step.ts';

/** Phase-encode direction in voxel axes, as BIDS spells it: `j-` runs against the second axis. */
export type PhaseEncoding = 'i' | 'i-' | 'j' | 'j-';

/** Where a readout time was found, best first. */
export type ReadoutSource =
  | 'TotalReadoutTime'
  | 'EffectiveEchoSpacing'
  | 'EstimatedTotalReadoutTime'
  | 'study file';

export interface InputFile extends FileRef {
  readonly bytes: number;
}

/** One series of a session: images of one phase encoding with their gradient table. */
export interface DwiSet {
  readonly image: InputFile;
  /** Absent for a fieldmap of `fmap/`, whose volumes are all b0s. */
  readonly bval?: InputFile;
  readonly bvec?: InputFile;
  /** JSON files that apply (BIDS inheritance), the most general first. */
  readonly sidecars: readonly InputFile[];
  /** Label of the direction, such as `AP`: from `dir-`, or from an `acq-` that names one. */
  readonly dir?: string;
  readonly run?: string;
  readonly phaseEncoding: PhaseEncoding;
  readonly readoutSeconds: number;
  readonly readoutSource: ReadoutSource;
  readonly volumes: number;
  readonly dims: readonly [number, number, number];
  /** mm. */
  readonly voxelSizes: readonly [number, number, number];
  /** 0-based volumes with b <= 50 s/mm2. */
  readonly b0Volumes: readonly number[];
  /** `dwi`: goes to eddy and the tensor; `fieldmap`: only its b0s count, for topup. */
  readonly role: 'dwi' | 'fieldmap';
}

/** All of a session, checked and ready to be processed. */
export interface SessionInput {
  /** With `sub-`. */
  readonly subject: string;
  /** Without `ses-`; null where the dataset has no session level. */
  readonly session: string | null;
  /** `dwi` sets first, in the order they are merged. */
  readonly sets: readonly DwiSet[];
  readonly topup: true | { readonly skippedBecause: string };
  /** What a reader of the results should know, one sentence each. */
  readonly notes: readonly string[];
}

export function opposite(direction: PhaseEncoding): PhaseEncoding {
  return direction.endsWith('-') ? (direction[0] as PhaseEncoding) : (`${direction}-` as PhaseEncoding);
}

type Scheme = Pick<DwiSet, 'phaseEncoding' | 'readoutSeconds'>;

/** One row of acqparams.txt: unit vector of the phase encoding in voxel axes, readout time in seconds. */
function schemeRow({ phaseEncoding, readoutSeconds }: Scheme): string {
  const sign = phaseEncoding.endsWith('-') ? -1 : 1;
  const [x, y] = phaseEncoding[0] === 'i' ? [sign, 0] : [0, sign];
  return `${x} ${y} 0 ${readoutSeconds}`;
}

/**
 * eddy's `--acqp` and `--index` for sets merged in this order: a row per distinct scheme; for each volume the 1-based
 * number of its row.
 */
export function eddyTexts(sets: readonly (Scheme & Pick<DwiSet, 'volumes'>)[]): {
  acqparams: string;
  index: string;
} {
  const rows = [...new Set(sets.map(schemeRow))];
  const index = sets.flatMap((set) => new Array<number>(set.volumes).fill(rows.indexOf(schemeRow(set)) + 1));
  return { acqparams: `${rows.join('\n')}\n`, index: `${index.join(' ')}\n` };
}

/** Consecutive volumes of one set, as `fslroi` cuts them. */
export interface VolumeRange {
  /** Position of the set in the list given. */
  readonly set: number;
  readonly first: number;
  readonly count: number;
}

/** The b0s topup gets, as ranges in order, and its `--datain` with a row for each of them. */
export function topupInput(sets: readonly (Scheme & Pick<DwiSet, 'b0Volumes'>)[]): {
  ranges: VolumeRange[];
  acqparams: string;
} {
  const ranges: { set: number; first: number; count: number }[] = [];
  for (const [set, { b0Volumes }] of sets.entries())
    for (const volume of b0Volumes) {
      const last = ranges.at(-1);
      if (last?.set === set && last.first + last.count === volume) last.count++;
      else ranges.push({ set, first: volume, count: 1 });
    }
  const rows = sets.flatMap((set) => set.b0Volumes.map(() => schemeRow(set)));
  return { ranges, acqparams: `${rows.join('\n')}\n` };
}

/** A gradient table: b in s/mm2 per volume; component c of the vector of volume t at `3 * t + c`. */
export interface Gradients {
  readonly bvals: ArrayLike<number>;
  readonly bvecs: ArrayLike<number>;
}

/** The texts of `bvals` (one row) and `bvecs` (three rows) for sets merged in this order. */
export function gradientTexts(tables: readonly Gradients[]): { bvals: string; bvecs: string } {
  const bvals = tables.flatMap((table) => Array.from(table.bvals));
  const row = (c: number) =>
    tables
      .flatMap((table) => Array.from({ length: table.bvals.length }, (_, t) => table.bvecs[3 * t + c]))
      .join(' ');
  return { bvals: `${bvals.join(' ')}\n`, bvecs: `${[0, 1, 2].map(row).join('\n')}\n` };
}
