/** A race: one job of ours beside its peers, in the same run, so that the ratio holds whatever the machine. */

import { median } from '../test/accuracy/measures.ts';

/** One line of the table; times in seconds, as measured one after the other. */
export interface Race {
  readonly what: string;
  readonly ours: readonly number[];
  readonly peer: string;
  /** Empty where the peer is not installed. */
  readonly theirs: readonly number[];
  /** Largest time of ours, or smallest ratio theirs / ours, that was promised. */
  readonly promise?: { readonly seconds: number } | { readonly ratio: number };
  readonly peakMb?: number;
}

/** How one figure of ours grows with a quantity. */
export interface Growth {
  readonly what: string;
  readonly points: readonly { readonly at: string; readonly seconds: number }[];
}

/** Ratio of the medians, theirs over ours: above 1, ours is faster. */
export function ratio({ ours, theirs }: Race): number {
  return median(theirs) / median(ours);
}

/** True when what was promised holds; undefined where nothing was, or the peer is missing. */
export function holds(race: Race): boolean | undefined {
  if (!race.promise) return undefined;
  if ('seconds' in race.promise) return median(race.ours) <= race.promise.seconds;
  return race.theirs.length === 0 ? undefined : ratio(race) >= race.promise.ratio;
}
