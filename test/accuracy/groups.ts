/** The groups of figures, in the order of the pipeline. */
import type { Group } from './figure.ts';
import { flirt } from './flirt.ts';
import { mcflirt } from './mcflirt.ts';

export const groups: readonly Group[] = [mcflirt, flirt];
