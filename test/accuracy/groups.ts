/** The groups of figures, in the order of the pipeline. */

import { canon } from './canon.ts';
import { cohort } from './cohort.ts';
import type { Group } from './figure.ts';
import { registration } from './registration.ts';

export const groups: readonly Group[] = [registration, canon, cohort];
