/** The groups of figures, in the order of the pipeline. */
import type { Group } from './figure.ts';

export const groups: readonly Group[] = [];
