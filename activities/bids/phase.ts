/**
 * Phase encoding and readout time of a set, from its sidecar and the study file, and whether the sets of a session
 * agree. Pure: sidecars in, answers out.
 */
import type { AcquisitionEntry } from '../../config/schema.ts';
import type { PhaseEncoding, ReadoutSource } from '../../pipeline/acquisition.ts';
import { opposite } from '../../pipeline/acquisition.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import type { Sidecar } from './files.ts';
import { reversedLabel } from './names.ts';

/** Credible total readout times of an EPI in seconds; sequences in use lie between 0.01 and 0.13. */
export const READOUT_RANGE = [0.005, 0.2] as const;

/** Values that differ by less, relatively, are the same but for rounding. */
const READOUT_TOLERANCE = 0.01;

export interface PhaseAnswer {
  readonly phaseEncoding: PhaseEncoding;
  readonly readoutSeconds: number;
  readonly readoutSource: ReadoutSource;
  readonly notes: string[];
}

/** A set as this module needs it. */
export interface PhaseQuestion {
  /** The image's file name. */
  readonly image: string;
  /** The sidecar a user would edit, as a path; it need not exist. */
  readonly sidecarPath: string;
  readonly sidecar: Sidecar;
  /** Label of the direction, such as `AP`. */
  readonly dir?: string;
}

/**
 * Finds both for one set. The study file fills gaps only, unless its entry says `override`; it says so in the notes.
 * @throws DeltaMdError INPUT_INCOMPLETE (nothing known, or not credible), INPUT_CONTRADICTS (study file against sidecar)
 */
export function resolvePhase(
  question: PhaseQuestion,
  acquisition: Readonly<Record<string, AcquisitionEntry>>,
): PhaseAnswer {
  const { image, sidecarPath, sidecar, dir } = question;
  const key = dir !== undefined && acquisition[dir] ? dir : 'default';
  const given: Partial<AcquisitionEntry> = acquisition[key] ?? {};
  const inStudy = `acquisition.${acquisition[key] ? key : (dir ?? 'default')}`;
  const notes: string[] = [];
  /** The sidecar's value, or the study file's; contradictions are errors. */
  function choose<T>(field: string, recorded: T | undefined, stated: T | undefined, same: boolean): T {
    if (stated === undefined || (recorded !== undefined && same)) {
      if (recorded !== undefined) return recorded;
      const axis = sidecar['PhaseEncodingAxis'];
      const hint =
        field === 'PhaseEncodingDirection' && axis !== undefined
          ? ` (PhaseEncodingAxis "${String(axis)}" does not tell the polarity)`
          : '';
      throw new DeltaMdError('INPUT_INCOMPLETE', `${sidecarPath} has no ${field}${hint}`, {
        remedy: `Add ${field} to it, or give ${lowerFirst(field)} in the study file under ${inStudy}, then: delta-md retry`,
      });
    }
    if (recorded !== undefined && given.override !== true)
      throw new DeltaMdError(
        'INPUT_CONTRADICTS',
        `${sidecarPath} gives ${field} ${recorded}, the study file gives ${stated} under ${inStudy}`,
        {
          remedy: `Correct the one that is wrong; if it is the sidecar and it cannot be changed, add "override: true" under ${inStudy}`,
        },
      );
    notes.push(
      recorded === undefined
        ? `${image}: ${field} ${stated} is from the study file (${inStudy}); the sidecar has none.`
        : `${image}: ${field} ${stated} is from the study file (${inStudy}); it overrides the sidecar's ${recorded}.`,
    );
    return stated;
  }

  const direction = recordedDirection(question);
  const statedDirection = given.phaseEncodingDirection;
  const phaseEncoding = choose(
    'PhaseEncodingDirection',
    direction,
    statedDirection,
    direction === statedDirection,
  );

  const recorded = recordedReadout(question, given.override === true && given.totalReadoutTime !== undefined);
  const stated = given.totalReadoutTime;
  const same =
    recorded !== undefined &&
    stated !== undefined &&
    Math.abs(recorded.seconds - stated) <= READOUT_TOLERANCE * stated;
  const seconds = choose('TotalReadoutTime', recorded?.seconds, stated, same);
  const fromSidecar = recorded !== undefined && seconds === recorded.seconds;
  if (fromSidecar && recorded.source !== 'TotalReadoutTime')
    notes.push(
      `${image}: the readout time ${seconds} s is from ${recorded.source}; TotalReadoutTime is not recorded.`,
    );
  return {
    phaseEncoding,
    readoutSeconds: seconds,
    readoutSource: fromSidecar ? recorded.source : 'study file',
    notes,
  };
}

function lowerFirst(text: string): string {
  return text[0].toLowerCase() + text.slice(1);
}

/** Direction a sidecar records. @throws DeltaMdError INPUT_INCOMPLETE where it is none of an EPI */
export function recordedDirection({ sidecar, sidecarPath }: PhaseQuestion): PhaseEncoding | undefined {
  const value = sidecar['PhaseEncodingDirection'];
  if (value === undefined || value === null || value === '') return undefined;
  const match = typeof value === 'string' ? /^([ij])([+-]?)$/.exec(value) : null;
  if (!match)
    throw new DeltaMdError(
      'INPUT_INCOMPLETE',
      `${sidecarPath}: PhaseEncodingDirection ${JSON.stringify(value)} is none of i, i-, j, j-`,
      { remedy: 'Correct the sidecar: an EPI is encoded along the first (i) or second (j) voxel axis' },
    );
  return `${match[1]}${match[2] === '-' ? '-' : ''}` as PhaseEncoding;
}

/**
 * The best readout time a sidecar records. `replaced`: the study file overrides it, so it may be out of range.
 * @throws DeltaMdError INPUT_INCOMPLETE where it is not credible
 */
export function recordedReadout(
  { sidecar, sidecarPath }: PhaseQuestion,
  replaced = false,
): { seconds: number; source: ReadoutSource } | undefined {
  const number = (field: string) => {
    const value = sidecar[field];
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  };
  const spacing = number('EffectiveEchoSpacing');
  const lines = number('ReconMatrixPE');
  const candidates: [ReadoutSource, number | undefined][] = [
    ['TotalReadoutTime', number('TotalReadoutTime')],
    // BIDS: the time from the centre of the first to the centre of the last reconstructed line.
    [
      'EffectiveEchoSpacing',
      spacing !== undefined && lines !== undefined
        ? Number((spacing * (lines - 1)).toPrecision(6))
        : undefined,
    ],
    ['EstimatedTotalReadoutTime', number('EstimatedTotalReadoutTime')],
  ];
  for (const [source, seconds] of candidates) {
    if (seconds === undefined) continue;
    if (!replaced && (seconds < READOUT_RANGE[0] || seconds > READOUT_RANGE[1]))
      throw new DeltaMdError(
        'INPUT_INCOMPLETE',
        `${sidecarPath}: a readout time of ${seconds} s (${source}) is not credible; ${READOUT_RANGE.join(' to ')} s is`,
        {
          remedy:
            'Correct the sidecar (is it in milliseconds?), or give totalReadoutTime in the study file under acquisition with "override: true"',
        },
      );
    return { seconds, source };
  }
  return undefined;
}

/** What {@link polarityProblem} compares. */
export interface NamedDirection {
  /** File name, for the message. */
  readonly name: string;
  readonly dir?: string;
  readonly phaseEncoding: PhaseEncoding;
}

/**
 * Says where names and phase encodings of a session's sets contradict each other: sets of one name must share a
 * direction, sets named as opposites (AP and PA) must be encoded in opposite directions. Undefined when all is well.
 * Which of `j` and `j-` a name stands for is not judged: it depends on how the image is stored.
 */
export function polarityProblem(sets: readonly NamedDirection[]): string | undefined {
  for (const [i, a] of sets.entries())
    for (const b of sets.slice(i + 1)) {
      if (a.dir === undefined || b.dir === undefined) continue;
      const both = `${a.name} is encoded along ${a.phaseEncoding} and ${b.name} along ${b.phaseEncoding}`;
      if (a.dir.toUpperCase() === b.dir.toUpperCase() && a.phaseEncoding !== b.phaseEncoding)
        return `${both}, though both are named ${a.dir}`;
      if (reversedLabel(a.dir) === b.dir.toUpperCase() && opposite(a.phaseEncoding) !== b.phaseEncoding)
        return `${both}, though ${a.dir} and ${b.dir} are opposite directions`;
    }
  return undefined;
}
