/**
 * What the registration of weighted volumes to each other leaves open, settled by what eddy currents are: proportional
 * to the diffusion gradient (Andersson & Sotiropoulos 2016, sections on the off-set and second-level models).
 *
 * - A constant field shifts the image along the phase encoding as a movement does. What follows the gradient is field,
 *   the rest movement.
 * - A displacement that all volumes share is invisible to a registration between them. It does not follow the gradient,
 *   so it is not eddy current, and is taken out.
 */
import { phaseAxis, voxelsPerHz } from '../topup/distortion.ts';
import { sameRun } from './continuity.ts';
import { bayesianEffect, leastSquares, meanRow, robustLeastSquares } from './linear.ts';
import type { Points, Series } from './series.ts';
import { FIELD_START, fieldTerms } from './warp.ts';

/** Gradient of a volume in units of the strongest: direction times sqrt(b). */
function gradientOf(series: Series, t: number, strongest: number): number[] {
  const strength = Math.sqrt(series.bvals[t] / strongest);
  return [0, 1, 2].map((c) => strength * series.bvecs[3 * t + c]);
}

function strongestOf(series: Series, members: readonly number[]): number {
  return members.reduce((most, t) => Math.max(most, series.bvals[t]), 1);
}

/** What --slm ties the field to: nothing, or a polynomial in the gradient. */
export const SECOND_LEVELS = ['none', 'linear', 'quadratic'] as const;
export type SecondLevel = (typeof SECOND_LEVELS)[number];

/**
 * Second-level model: replaces each field term but the constant by its fit on the gradient's components (linear), or on
 * them and their products (quadratic). Volumes too few to determine the fit keep what they have.
 */
export function tieToGradient(
  series: Series,
  members: readonly number[],
  parameters: readonly Float64Array[],
  model: SecondLevel,
): void {
  if (model === 'none') return;
  const strongest = strongestOf(series, members);
  const rows = members.map((t) => {
    const [x, y, z] = gradientOf(series, t, strongest);
    return model === 'linear' ? [x, y, z] : [x, y, z, x * x, y * y, z * z, x * y, x * z, y * z];
  });
  if (rows.length <= rows[0].length) return;
  for (let k = FIELD_START; k < parameters[0].length - 1; k++) {
    const fit = leastSquares(
      rows,
      parameters.map((p) => p[k]),
    );
    for (const [i, p] of parameters.entries()) p[k] = rows[i].reduce((sum, g, c) => sum + g * fit[c], 0);
  }
}

/**
 * Mean over the brain of each term of the field but the constant.
 * @param count number of terms, the constant included
 */
export function meanTerms(points: Points, count: number): Float64Array {
  const sum = new Float64Array(count);
  const terms = new Float64Array(count);
  for (let s = 0; s < points.x.length; s++) {
    fieldTerms(points.x[s], points.y[s], points.z[s], terms);
    for (let k = 0; k < count - 1; k++) sum[k] += terms[k] / points.x.length;
  }
  return sum;
}

/**
 * Tells the field's constant from movement along the phase encoding. What the data determine is the displacement of the
 * brain as a whole: that by the translation and that by the mean of all the field's terms. Its part that follows
 * the gradient is field, the rest movement. Movement is taken for a random walk: the fit is of differences between
 * successive volumes of one acquisition, whatever level and drift the movement has, and sudden jumps of the head
 * count less. Corrected images do not change by it, only what is called movement. With fewer than ten differences all
 * of it is movement.
 * @param parameters of weighted volumes, changed in place; what their constants hold is told apart anew
 * @param mean of the field's terms, see {@link meanTerms}
 */
export function separateFieldFromMovement(
  series: Series,
  members: readonly number[],
  parameters: readonly Float64Array[],
  mean: Float64Array,
): void {
  const strongest = strongestOf(series, members);
  const axes = members.map((t) => phaseAxis(series.acquisitions[t]));
  const shifts = members.map((t) => voxelsPerHz(series.acquisitions[t]));
  const mmPerHz = members.map((_, i) => shifts[i] * series.frame.voxelSizes[axes[i]]);
  const gradients = members.map((t) => gradientOf(series, t, strongest));
  const terms = mean.length;
  /** Mean field over the brain without the constant. */
  const own = parameters.map((p) => {
    let sum = 0;
    for (let k = 0; k < terms - 1; k++) sum += mean[k] * p[FIELD_START + k];
    return sum;
  });
  const whole = parameters.map((p, i) => p[axes[i]] + mmPerHz[i] * (own[i] + p[p.length - 1]));
  const rows: number[][] = [];
  const steps: number[] = [];
  for (let i = 1; i < members.length; i++) {
    if (axes[i] !== axes[i - 1] || shifts[i] !== shifts[i - 1]) continue;
    rows.push(gradients[i].map((g, c) => mmPerHz[i] * (g - gradients[i - 1][c])));
    steps.push(whole[i] - whole[i - 1]);
  }
  const fit = rows.length < 10 ? new Float64Array(3) : robustLeastSquares(rows, steps);
  for (const [i, p] of parameters.entries()) {
    const hz = gradients[i].reduce((sum, g, c) => sum + g * fit[c], 0);
    p[p.length - 1] = hz - own[i];
    p[axes[i]] = whole[i] - mmPerHz[i] * hz;
  }
}

/**
 * Tells an error of the susceptibility field's constant from movement. topup cannot: to it, a head that moved along the
 * phase encoding between the sets of opposite encoding looks as a field that is off by a constant. But a head moves
 * little from one volume to the next, also from the last of one set to the first of the other; what jumps there is
 * the field's. The first volume's encoding is the reference. Corrected images do not change, only what is called movement.
 * @param parameters of all volumes, changed in place
 */
export function separateConstantFromMovement(series: Series, parameters: readonly Float64Array[]): void {
  const shifts = series.acquisitions.map(voxelsPerHz);
  const axes = series.acquisitions.map(phaseAxis);
  if (!series.field || axes.some((axis) => axis !== axes[0])) return;
  const [axis] = axes;
  const mm = series.frame.voxelSizes[axis];
  const rows: number[][] = [];
  const steps: number[] = [];
  for (let t = 1; t < parameters.length; t++) {
    if (shifts[t] === shifts[t - 1]) continue;
    rows.push([mm * (shifts[t] - shifts[t - 1])]);
    steps.push(parameters[t][axis] - parameters[t - 1][axis]);
  }
  if (rows.length === 0) return;
  const [hz] = robustLeastSquares(rows, steps);
  for (const [t, p] of parameters.entries()) {
    const share = shifts[t] - shifts[0];
    p[axis] -= hz * mm * share;
    p[p.length - 1] += (hz * share) / shifts[t];
  }
}

/**
 * Terms quadratic in a gradient, the same for it and its opposite, as contrast is. A displacement that follows them is
 * next to invisible to registration between volumes: the predictions follow it, and the change of intensity that it makes
 * at edges looks like contrast. With a dozen directions it errs by 0.2 mm so.
 */
function evenTerms([x, y, z]: readonly number[]): number[] {
  return [x * x - y * y, z * z - (x * x + y * y + z * z) / 3, x * y, x * z, y * z];
}

/**
 * Takes out of the field's terms what displaces opposite encodings alike: no field does, and registration between
 * volumes does not see it where it is common to all of them or even in the gradient ({@link evenTerms}). A field
 * displaces opposite encodings in opposite ways; what displaces them alike has opposite signs in the terms. With one
 * encoding only what is common to all volumes is taken out, which does not follow the gradient as eddy currents do.
 * @param parameters of weighted volumes, changed in place; volumes too few to tell keep what they have
 */
export function removeCommonDisplacement(
  series: Series,
  members: readonly number[],
  parameters: readonly Float64Array[],
): void {
  const strongest = strongestOf(series, members);
  const gradients = members.map((t) => gradientOf(series, t, strongest));
  const signs = members.map((t) => Math.sign(voxelsPerHz(series.acquisitions[t])));
  const opposite = signs.some((sign) => sign !== signs[0]);
  const common = gradients.map((g, i) => [1, ...(opposite ? evenTerms(g) : [])].map((v) => signs[i] * v));
  const rows = common.map((terms, i) => [...terms, ...gradients[i]]);
  if (rows.length < 2 * rows[0].length) return;
  for (let k = FIELD_START; k < parameters[0].length - 1; k++) {
    const fit = leastSquares(
      rows,
      parameters.map((p) => p[k]),
    );
    for (const [i, p] of parameters.entries()) p[k] -= common[i].reduce((sum, v, c) => sum + v * fit[c], 0);
  }
}

/**
 * Takes out of the movement what registration between volumes does not see ({@link evenTerms}). A head does not know the
 * gradient: it walks at random, with a drift, so what of its steps follows the gradient evenly is an error. How much of it
 * there is, the steps tell themselves (see {@link bayesianEffect}): with many directions next to nothing.
 * @param parameters of weighted volumes, changed in place; volumes too few to tell keep what they have
 */
export function removeUnseenMovement(
  series: Series,
  members: readonly number[],
  parameters: readonly Float64Array[],
): void {
  const strongest = strongestOf(series, members);
  const terms = members.map((t) => evenTerms(gradientOf(series, t, strongest)));
  const mean = meanRow(terms);
  const even = terms.map((row) => row.map((v, c) => v - mean[c]));
  const later = [...members.keys()].filter(
    (i) => i > 0 && sameRun(series.acquisitions[members[i]], series.acquisitions[members[i - 1]]),
  );
  if (later.length < 4 * mean.length) return;
  const changes = later.map((i) => even[i].map((v, c) => v - even[i - 1][c]));
  for (let k = 0; k < FIELD_START; k++) {
    const effect = bayesianEffect(
      changes,
      later.map((i) => parameters[i][k] - parameters[i - 1][k]),
    );
    for (const [i, p] of parameters.entries()) p[k] -= even[i].reduce((sum, v, c) => sum + v * effect[c], 0);
  }
}
