/**
 * Points sorted by how much their signal depends on the direction of diffusion weighting. White matter shines and
 * darkens with it, grey matter and fluid hardly do. One covariance for all would take part of the white matter's contrast
 * for noise, and registration would explain it by movement, tenths of a millimetre that grow from one direction to its
 * neighbours. With a covariance for each class (gp.ts) every point counts by how well it can be predicted.
 */
import type { Directions } from './gp.ts';

/** Number of classes, equal in size. */
export const CLASSES = 6;

/** Orthonormal vectors over n volumes: first the shells' means, then what is quadratic in the direction. */
function quadraticBasis({ vectors, shellOf, shellB }: Directions): { means: number; basis: Float64Array[] } {
  const n = shellOf.length;
  const basis: Float64Array[] = [];
  const add = (at: (x: number, y: number, z: number, shell: number) => number) => {
    const v = Float64Array.from({ length: n }, (_, i) =>
      at(vectors[3 * i], vectors[3 * i + 1], vectors[3 * i + 2], shellOf[i]),
    );
    for (const b of basis) {
      const along = v.reduce((sum, value, i) => sum + value * b[i], 0);
      for (let i = 0; i < n; i++) v[i] -= along * b[i];
    }
    const norm = Math.hypot(...v);
    // Few directions do not hold all forms apart.
    if (norm > 1e-3 * Math.sqrt(n)) basis.push(v.map((value) => value / norm));
  };
  for (const own of shellB.keys()) add((_x, _y, _z, shell) => (shell === own ? 1 : 0));
  const means = basis.length;
  add((x, y) => x * x - y * y);
  add((_x, _y, z) => z * z - 1 / 3);
  add((x, y) => x * y);
  add((x, _y, z) => x * z);
  add((_x, y, z) => y * z);
  return { means, basis };
}

/**
 * Class of each point, 0 for the least contrast.
 * @param data intensities at the points per volume
 */
export function contrastClasses(directions: Directions, data: readonly Float32Array[]): Uint8Array {
  const points = data[0].length;
  const { means, basis } = quadraticBasis(directions);
  const power = new Float64Array(points);
  const sum = new Float64Array(points);
  for (const weights of basis.slice(means)) {
    sum.fill(0);
    for (const [i, y] of data.entries()) for (let s = 0; s < points; s++) sum[s] += weights[i] * y[s];
    for (let s = 0; s < points; s++) power[s] += sum[s] * sum[s];
  }
  const sorted = Float64Array.from(power).sort();
  const bounds = Array.from(
    { length: CLASSES - 1 },
    (_, c) => sorted[Math.floor(((c + 1) * points) / CLASSES)],
  );
  return Uint8Array.from(power, (p) => bounds.reduce((c, bound) => (p >= bound ? c + 1 : c), 0));
}
