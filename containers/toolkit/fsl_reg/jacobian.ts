import { determinant3, type Matrix4 } from '../../../imaging/affine.ts';
import { SplineLattice } from './lattice.ts';
import type { Spline } from './nonlinear.ts';

/** Samples per knot interval: the determinant of cubic splines varies little between them. */
const SAMPLES = 3;

/**
 * Least Jacobian determinant of `linear(x) + displacement(x)` over the lattice, relative to that of `linear`: 1 where
 * nothing is stretched, 0 or less where the transform folds.
 */
export function leastJacobian(spline: Spline, linear: Matrix4): number {
  const { knots, spacingMm, coefficients } = spline;
  // The first and last knot lie outside what the spline covers.
  const positions = knots.map((n) =>
    Float64Array.from({ length: (n - 3) * SAMPLES + 1 }, (_, i) => (i * spacingMm) / SAMPLES),
  );
  const count = positions.reduce((n, p) => n * p.length, 1);
  const slopes = [0, 1, 2].map((axis) => {
    const lattice = new SplineLattice(positions, spacingMm, knots, axis);
    return coefficients.map((c) => {
      const out = new Float32Array(count);
      lattice.expand(c, out);
      return out;
    });
  });
  const m = Float64Array.from(linear);
  let least = Number.POSITIVE_INFINITY;
  for (let o = 0; o < count; o++) {
    for (let c = 0; c < 3; c++)
      for (let axis = 0; axis < 3; axis++) m[4 * c + axis] = linear[4 * c + axis] + slopes[axis][c][o];
    least = Math.min(least, determinant3(m));
  }
  return least / determinant3(linear);
}
