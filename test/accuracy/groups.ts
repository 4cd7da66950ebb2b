/** The groups of figures, in the order of the pipeline. */
import { eddy } from './eddy.ts';
import type { Group } from './figure.ts';

export const groups: readonly Group[] = [eddy];
