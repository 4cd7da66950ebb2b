/**
 * 4 x 4 affine matrices, row-major, double precision. World coordinates are RAS+ in mm.
 */

/** Row-major 4 x 4 matrix: element (r, c) is at `4 * r + c`; the last row is 0 0 0 1. */
export type Matrix4 = Float64Array;

export function identity(): Matrix4 {
  return Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
}

/** `multiply(a, b)` applied to a point is `a(b(point))`. */
export function multiply(a: Matrix4, b: Matrix4): Matrix4 {
  const out = new Float64Array(16);
  for (let r = 0; r < 4; r++)
    for (let c = 0; c < 4; c++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += a[4 * r + k] * b[4 * k + c];
      out[4 * r + c] = sum;
    }
  return out;
}

/** Product of several matrices, leftmost applied last. */
export function chain(...matrices: Matrix4[]): Matrix4 {
  return matrices.reduce(multiply);
}

/** Determinant of the upper-left 3 x 3 block. */
export function determinant3(m: Matrix4): number {
  return (
    m[0] * (m[5] * m[10] - m[6] * m[9]) -
    m[1] * (m[4] * m[10] - m[6] * m[8]) +
    m[2] * (m[4] * m[9] - m[5] * m[8])
  );
}

/** Inverse of an affine matrix. Throws a RangeError when it is singular. */
export function invert(m: Matrix4): Matrix4 {
  const det = determinant3(m);
  if (!(Math.abs(det) > 1e-300)) throw new RangeError('affine matrix is singular');
  const out = identity();
  out[0] = (m[5] * m[10] - m[6] * m[9]) / det;
  out[1] = (m[2] * m[9] - m[1] * m[10]) / det;
  out[2] = (m[1] * m[6] - m[2] * m[5]) / det;
  out[4] = (m[6] * m[8] - m[4] * m[10]) / det;
  out[5] = (m[0] * m[10] - m[2] * m[8]) / det;
  out[6] = (m[2] * m[4] - m[0] * m[6]) / det;
  out[8] = (m[4] * m[9] - m[5] * m[8]) / det;
  out[9] = (m[1] * m[8] - m[0] * m[9]) / det;
  out[10] = (m[0] * m[5] - m[1] * m[4]) / det;
  for (let r = 0; r < 3; r++)
    out[4 * r + 3] = -(out[4 * r] * m[3] + out[4 * r + 1] * m[7] + out[4 * r + 2] * m[11]);
  return out;
}

/** Applies `m` to a point. */
export function transformPoint(m: Matrix4, x: number, y: number, z: number): [number, number, number] {
  return [
    m[0] * x + m[1] * y + m[2] * z + m[3],
    m[4] * x + m[5] * y + m[6] * z + m[7],
    m[8] * x + m[9] * y + m[10] * z + m[11],
  ];
}

export function scaling(sx: number, sy: number, sz: number): Matrix4 {
  return Float64Array.of(sx, 0, 0, 0, 0, sy, 0, 0, 0, 0, sz, 0, 0, 0, 0, 1);
}

export function translation(tx: number, ty: number, tz: number): Matrix4 {
  return Float64Array.of(1, 0, 0, tx, 0, 1, 0, ty, 0, 0, 1, tz, 0, 0, 0, 1);
}

/** Rotation matrix Rx(a) Ry(b) Rz(c), right-handed, radians (Jenkinson 2002's order for rigid parameters). */
export function rotation(a: number, b: number, c: number): Matrix4 {
  const [ca, sa, cb, sb, cc, sc] = [
    Math.cos(a),
    Math.sin(a),
    Math.cos(b),
    Math.sin(b),
    Math.cos(c),
    Math.sin(c),
  ];
  const rx = Float64Array.of(1, 0, 0, 0, 0, ca, -sa, 0, 0, sa, ca, 0, 0, 0, 0, 1);
  const ry = Float64Array.of(cb, 0, sb, 0, 0, 1, 0, 0, -sb, 0, cb, 0, 0, 0, 0, 1);
  const rz = Float64Array.of(cc, -sc, 0, 0, sc, cc, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  return chain(rx, ry, rz);
}
