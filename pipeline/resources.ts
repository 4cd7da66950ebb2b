/**
 * Kinds of work by what they need of a machine. Each kind has a task queue of its own, so that a host takes only what
 * it is fit for: a laptop the light steps, a server with much memory those that outgrew the others.
 */
import type { Resources } from './step.ts';

/**
 * - `light`: minutes of one core; also all that needs the study's own files, so these workers see the BIDS folder;
 * - `compute`: the long steps (topup, eddy, mcflirt, fsl_reg);
 * - `memory`: whatever needs more memory than most hosts can give to one step;
 * - `gpu`: steps that use a graphics card, in studies that have one.
 */
export const RESOURCE_CLASSES = ['light', 'compute', 'memory', 'gpu'] as const;

export type ResourceClass = (typeof RESOURCE_CLASSES)[number];

const LIGHT_MINUTES = 30;
/** What a host of two cores and 8 GiB can still give. */
const COMPUTE_MIB = 6144;

/**
 * @param resources as the step declares them; its memory grows when it was killed for want of it
 * @param hasGpu true where the study's runtime has graphics cards
 */
export function classOf({ minutes, memoryMiB, gpu }: Resources, hasGpu: boolean): ResourceClass {
  if (gpu && hasGpu) return 'gpu';
  if (memoryMiB > COMPUTE_MIB) return 'memory';
  return minutes > LIGHT_MINUTES ? 'compute' : 'light';
}

/** The task queue of a class; workflows and light work share the one that names the product. */
export function queueOf(base: string, resourceClass: ResourceClass): string {
  return resourceClass === 'light' ? base : `${base}-${resourceClass}`;
}
