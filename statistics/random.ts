/**
 * Seeded random numbers: the Mersenne Twister (Matsumoto & Nishimura 1998, ACM Trans Model Comput Simul 8:3) of stdlib.
 * Its seed is a list of words, so that every permutation or cohort has a stream of its own: results then depend neither
 * on the order of the work nor on how many share it.
 */
import mersenneTwister from '@stdlib/random-base-mt19937';
import { normalQuantile } from './distributions.ts';

/** A stream of random numbers. */
export interface RandomStream {
  /** Uniform, 32 bits, never 0 and never 1. */
  uniform(): number;
  /** A whole number of 0..n-1, each as likely as the others; n up to 2^32. */
  below(n: number): number;
  /** Standard normal. */
  normal(): number;
}

/** Anything with places that can be exchanged. */
interface Sequence<T> {
  readonly length: number;
  [index: number]: T;
}

/**
 * The stream named by `words`, whole numbers of 0 to 2^32 - 1. Equal words give equal streams.
 * @throws RangeError for no words, and for others
 */
export function randomStream(...words: readonly number[]): RandomStream {
  if (words.length === 0 || !words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32))
    throw new RangeError(
      `randomStream: ${words.join(', ') || 'nothing'} is no seed: whole numbers below 2^32`,
    );
  // Their number goes first: stdlib takes a list of one for a plain number, and 0 for none.
  const next = mersenneTwister.factory({ seed: Uint32Array.of(words.length, ...words) });
  const uniform = () => (next() + 0.5) / 2 ** 32;
  return {
    uniform,
    below(n) {
      // The last, incomplete run of n numbers would favour the small ones: drawn again.
      const end = 2 ** 32 - (2 ** 32 % n);
      let k = next();
      while (k >= end) k = next();
      return k % n;
    },
    normal: () => normalQuantile(uniform()),
  };
}

/** Brings items into a random order, in place; every order is equally likely (Fisher & Yates). */
export function shuffle<T>(items: Sequence<T>, random: RandomStream): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = items[i];
    items[i] = items[j];
    items[j] = held;
  }
}

/** As many items as there are, each drawn from all of them. */
export function sampleWithReplacement<T>(items: readonly T[], random: RandomStream): T[] {
  return items.map(() => items[random.below(items.length)]);
}
