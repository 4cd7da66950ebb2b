/** The groups of figures, in the order of the pipeline. */
import { bet } from './bet.ts';
import { canon } from './canon.ts';
import { cohort } from './cohort.ts';
import { dtifit } from './dtifit.ts';
import { eddy } from './eddy.ts';
import type { Group } from './figure.ts';
import { flirt } from './flirt.ts';
import { mcflirt } from './mcflirt.ts';
import { registration } from './registration.ts';
import { topup } from './topup.ts';

export const groups: readonly Group[] = [
  topup,
  mcflirt,
  bet,
  eddy,
  dtifit,
  flirt,
  registration,
  canon,
  cohort,
];
