/** The groups of figures, in the order of the pipeline. */

import { canon } from './canon.ts';
import { cohort } from './cohort.ts';
import type { Group } from './figure.ts';

export const groups: readonly Group[] = [canon, cohort];
