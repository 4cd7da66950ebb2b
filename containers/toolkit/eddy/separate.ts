/**
 * What the registration of weighted volumes to each other leaves open, settled by what eddy currents are: proportional
 * to the diffusion gradient (Andersson & Sotiropoulos 2016, sections on the off-set and second-level models).
 *
 * - A constant field shifts the image along the phase encoding as a movement does. What follows the gradient is field,
 *   the rest movement.
 * - A displacement that all volumes share is invisible to a registration between them. What does not follow the
 *   gradient and is equal for all, whichever way they were phase encoded, is not eddy current and is taken out.
 */
import { phaseAxis, voxelsPerHz } from '../topup/distortion.ts';
import { leastSquares } from './linear.ts';
import type { Series } from './series.ts';
import { FIELD_START } from './warp.ts';

/** Gradient of a volume in units of the strongest: direction times sqrt(b). */
function gradientOf(series: Series, t: number, strongest: number): number[] {
  const strength = Math.sqrt(series.bvals[t] / strongest);
  return [0, 1, 2].map((c) => strength * series.bvecs[3 * t + c]);
}

function strongestOf(series: Series, members: readonly number[]): number {
  return members.reduce((most, t) => Math.max(most, series.bvals[t]), 1);
}

/** Second-level model of --slm=linear: replaces each field term but the constant by its linear fit on the gradient. */
export function linearInGradient(
  series: Series,
  members: readonly number[],
  parameters: Float64Array[],
): void {
  const strongest = strongestOf(series, members);
  const rows = members.map((t) => gradientOf(series, t, strongest));
  for (let k = FIELD_START; k < parameters[0].length - 1; k++) {
    const fit = leastSquares(
      rows,
      parameters.map((p) => p[k]),
    );
    for (const [i, p] of parameters.entries()) p[k] = rows[i].reduce((sum, g, c) => sum + g * fit[c], 0);
  }
}

/**
 * Moves the part of the phase-encode translation that follows the gradient into the field's constant, and takes the
 * displacement common to all volumes out of the other terms. Nothing is done with fewer than ten volumes: too few to
 * tell gradient from movement.
 * @param parameters of weighted volumes, changed in place; their constants must be zero
 */
export function separateFieldFromMovement(
  series: Series,
  members: readonly number[],
  parameters: Float64Array[],
): void {
  if (members.length < 10) return;
  const strongest = strongestOf(series, members);
  const shifts = members.map((t) => voxelsPerHz(series.acquisitions[t]));
  const gradients = members.map((t) => gradientOf(series, t, strongest));
  const runs = new Map<string, number>();
  for (const t of members) {
    const key = series.acquisitions[t].direction.join() + series.acquisitions[t].readoutSeconds;
    if (!runs.has(key)) runs.set(key, runs.size);
  }
  const runOf = members.map(
    (t) => runs.get(series.acquisitions[t].direction.join() + series.acquisitions[t].readoutSeconds) ?? 0,
  );
  const last = parameters[0].length - 1;

  // Translation in voxels: gradient part + per run a level and a drift over time.
  const drift = members.map((t) => t / Math.max(1, series.volumes.length - 1) - 0.5);
  const rows = members.map((_, i) => {
    const row = new Float64Array(3 + 2 * runs.size);
    for (let c = 0; c < 3; c++) row[c] = shifts[i] * gradients[i][c];
    row[3 + 2 * runOf[i]] = 1;
    row[4 + 2 * runOf[i]] = drift[i];
    return row;
  });
  const voxelsOf = (i: number) => {
    const axis = phaseAxis(series.acquisitions[members[i]]);
    return parameters[i][axis] / series.frame.voxelSizes[axis];
  };
  const fit = leastSquares(
    rows,
    members.map((_, i) => voxelsOf(i)),
  );
  for (const [i, p] of parameters.entries()) {
    const hz = gradients[i].reduce((sum, g, c) => sum + g * fit[c], 0);
    const axis = phaseAxis(series.acquisitions[members[i]]);
    p[last] = hz;
    p[axis] -= hz * shifts[i] * series.frame.voxelSizes[axis];
  }

  // Other terms, in voxels of displacement: gradient part + a common field (both ways encoded) + a common displacement.
  const bothWays = Math.max(...shifts) > 0 && Math.min(...shifts) < 0;
  const commonRows = members.map((_, i) => [
    ...gradients[i].map((g) => g * shifts[i]),
    1,
    ...(bothWays ? [shifts[i]] : []),
  ]);
  for (let k = FIELD_START; k < last; k++) {
    const part = leastSquares(
      commonRows,
      parameters.map((p, i) => p[k] * shifts[i]),
    );
    for (const [i, p] of parameters.entries()) p[k] -= part[3] / shifts[i];
  }
}
