import { identity, type Matrix4, multiply } from '../../../imaging/affine.ts';

/**
 * Splits the linear part of a matrix into a rotation and an upper triangular shape (scales on the diagonal, skews above
 * it): A = R U with det R = sign det A, by Gram-Schmidt. Translations stay out.
 */
function rotationAndShape(m: Matrix4): { rotation: Matrix4; shape: Matrix4 } {
  const [rotation, shape] = [identity(), identity()];
  for (let c = 0; c < 3; c++) {
    const column = [m[c], m[4 + c], m[8 + c]];
    for (let p = 0; p < c; p++) {
      const along = rotation[p] * m[c] + rotation[4 + p] * m[4 + c] + rotation[8 + p] * m[8 + c];
      shape[4 * p + c] = along;
      for (let r = 0; r < 3; r++) column[r] -= along * rotation[4 * r + p];
    }
    const length = Math.hypot(...column);
    shape[5 * c] = length;
    for (let r = 0; r < 3; r++) rotation[4 * r + c] = column[r] / length;
  }
  return { rotation, shape };
}

/** The rotation and translation of `m` with the scales and skews of `other`. */
export function withShapeOf(m: Matrix4, other: Matrix4): Matrix4 {
  const out = multiply(rotationAndShape(m).rotation, rotationAndShape(other).shape);
  for (let r = 0; r < 3; r++) out[4 * r + 3] = m[4 * r + 3];
  return out;
}
