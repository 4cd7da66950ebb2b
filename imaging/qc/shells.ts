/** Volumes by their b value. */
import { B0_MAX } from '../gradients.ts';

/** b values closer than this to one before belong to its shell: scanners write 995 and 1005 for 1000. */
const SHELL_WIDTH = 100;

/** The shell of each volume, by the mean b of its members rounded to 50; b0s: 0. */
export function shellsOf(bvals: ArrayLike<number>): number[] {
  const order = Array.from({ length: bvals.length }, (_, t) => t)
    .filter((t) => bvals[t] > B0_MAX)
    .sort((a, b) => bvals[a] - bvals[b]);
  const out = new Array<number>(bvals.length).fill(0);
  let members: number[] = [];
  const close = () => {
    const mean = members.reduce((sum, t) => sum + bvals[t], 0) / members.length;
    for (const t of members) out[t] = 50 * Math.round(mean / 50);
    members = [];
  };
  for (const t of order) {
    if (members.length > 0 && bvals[t] - bvals[members[members.length - 1]] > SHELL_WIDTH) close();
    members.push(t);
  }
  if (members.length > 0) close();
  return out;
}

/** Volumes without diffusion weighting. */
export function b0sOf(bvals: ArrayLike<number>): number[] {
  return Array.from({ length: bvals.length }, (_, t) => t).filter((t) => bvals[t] <= B0_MAX);
}

/** Volumes with diffusion weighting. */
export function weightedOf(bvals: ArrayLike<number>): number[] {
  return Array.from({ length: bvals.length }, (_, t) => t).filter((t) => bvals[t] > B0_MAX);
}
