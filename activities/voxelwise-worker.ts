/** A batch of permutations: what a worker thread that loads this module does with a message. */
import { type Maxima, permutedMaxima, type VoxelwiseModel } from '../statistics/voxelwise.ts';

export interface PermutationJob {
  readonly model: VoxelwiseModel;
  readonly seed: number;
  /** Permutations, end exclusive. */
  readonly first: number;
  readonly end: number;
}

export default function runPermutations({ model, seed, first, end }: PermutationJob): Maxima {
  return permutedMaxima(model, seed, first, end);
}
