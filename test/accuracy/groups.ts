/** The groups of figures, in the order of the pipeline. */
import type { Group } from './figure.ts';
import { topup } from './topup.ts';

export const groups: readonly Group[] = [topup];
