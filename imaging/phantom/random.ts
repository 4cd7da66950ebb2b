/**
 * Seeded random numbers. Every subject, session and purpose draws from a stream of its own, named by words, so that
 * results do not depend on the order or parallelism of the work.
 */

/** A stream of random numbers. */
export interface RandomStream {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

/** 32-bit hash of a text: FNV-1a with the finalizer of MurmurHash3. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The stream named by `words`: xoshiro128** (Blackman & Vigna 2021, ACM Trans Math Softw 47:36), normals by Box-Muller.
 * Equal words give equal streams.
 */
export function randomStream(...words: readonly (string | number)[]): RandomStream {
  const name = words.join('/');
  // `| 1` keeps the state off zero, the one state that xoshiro cannot leave.
  const state = Int32Array.from([1, 2, 3, 4], (part) => hash(`${part}/${name}`) | 1);
  let spare: number | undefined;
  const next = (): number => {
    const product = Math.imul(state[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = (state[3] << 11) | (state[3] >>> 21);
    return result;
  };
  return {
    uniform: () => next() / 2 ** 32,
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - next() / 2 ** 32));
      const angle = 2 * Math.PI * (next() / 2 ** 32);
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}
