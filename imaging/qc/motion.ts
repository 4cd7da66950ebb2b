/**
 * Head motion from eddy's files: `.eddy_parameters` (a row per volume: translations in mm, rotations in radians, then
 * the eddy-current field's terms, the linear ones in Hz/mm first) and `.eddy_movement_rms` (against the first volume,
 * and against the one before; mm).
 */
import { largest, meanOf, standardDeviation } from './numbers.ts';

/** Radius in mm of the sphere on which rotations become displacements (Power 2012, NeuroImage 59:2142). */
const HEAD_RADIUS = 50;

/**
 * Framewise displacement in mm (Power 2012): the sum of the absolute changes of the six parameters against the volume
 * before; null for the first.
 * @param rows per volume at least three translations (mm) and three rotations (radians)
 */
export function framewiseDisplacement(rows: readonly ArrayLike<number>[]): (number | null)[] {
  return rows.map((row, t) => {
    if (t === 0) return null;
    let sum = 0;
    for (let p = 0; p < 6; p++) sum += (p < 3 ? 1 : HEAD_RADIUS) * Math.abs(row[p] - rows[t - 1][p]);
    return sum;
  });
}

/** Largest absolute parameters of a kind, as they are and from volume to volume. */
function extremes(rows: readonly ArrayLike<number>[], first: number): [number | null, number | null] {
  const places = [first, first + 1, first + 2];
  return [
    largest(rows.flatMap((row) => places.map((p) => Math.abs(row[p])))),
    largest(rows.slice(1).flatMap((row, t) => places.map((p) => Math.abs(row[p] - rows[t][p])))),
  ];
}

/** Figures of `.eddy_parameters`, under the names of the dictionary. */
export function parameterMetrics(rows: readonly ArrayLike<number>[]): Record<string, number | null> {
  const steps = framewiseDisplacement(rows).filter((value) => value !== null);
  const [translation, relativeTranslation] = extremes(rows, 0);
  const [rotation, relativeRotation] = extremes(rows, 3);
  const spread = (p: number) => standardDeviation(rows.map((row) => row[p]));
  return {
    mean_fd: meanOf(steps),
    max_fd: largest(steps),
    max_rotation: rotation,
    max_translation: translation,
    max_rel_rotation: relativeRotation,
    max_rel_translation: relativeTranslation,
    eddy_current_std_x: spread(6),
    eddy_current_std_y: spread(7),
    eddy_current_std_z: spread(8),
  };
}

/** Figures of `.eddy_movement_rms`. */
export function movementMetrics(rows: readonly ArrayLike<number>[]): Record<string, number | null> {
  const absolute = rows.map((row) => row[0]);
  // The first volume has none before it.
  const relative = rows.slice(1).map((row) => row[1]);
  return {
    qc_mot_abs: meanOf(absolute),
    qc_mot_rel: meanOf(relative),
    mot_abs_max: largest(absolute),
    mot_rel_max: largest(relative),
  };
}

/** Angle in degrees between each weighted volume's direction before and after it was rotated with the head. */
export function bvecRotations(
  raw: Float64Array,
  rotated: Float64Array,
  weighted: readonly number[],
): number[] {
  return weighted.map((t) => {
    const [a, b] = [raw.subarray(3 * t, 3 * t + 3), rotated.subarray(3 * t, 3 * t + 3)];
    const cross = Math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]);
    const dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    // Not by the cosine alone, which is flat where the angle is small.
    return (Math.atan2(cross, Math.abs(dot)) * 180) / Math.PI;
  });
}
