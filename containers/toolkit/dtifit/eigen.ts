/** Eigenvalues and eigenvectors of a symmetric 3 x 3 matrix, by Jacobi's rotations. */

/** Reusable result of {@link eigenSymmetric3}: values in falling order, vector i at `3 * i`. */
export interface Eigen3 {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

export function eigen3(): Eigen3 {
  return { values: new Float64Array(3), vectors: new Float64Array(9) };
}

const SWEEPS = 20; // Converges quadratically: four to six are the rule.
const a = new Float64Array(9);

/**
 * Decomposes a matrix into `out`, without allocation. Jacobi rather than the closed form (the cubic's roots by arc
 * cosine), which loses half the digits where two eigenvalues are close, as in grey matter. Signs are fixed: the
 * largest component of each vector is positive (the first of equals).
 */
export function eigenSymmetric3(
  xx: number,
  xy: number,
  xz: number,
  yy: number,
  yz: number,
  zz: number,
  out: Eigen3,
): void {
  const { values, vectors: v } = out;
  a[0] = xx;
  a[4] = yy;
  a[8] = zz;
  a[1] = a[3] = xy;
  a[2] = a[6] = xz;
  a[5] = a[7] = yz;
  // Rows of v are the vectors.
  v.fill(0);
  v[0] = v[4] = v[8] = 1;
  const scale = Math.abs(xx) + Math.abs(yy) + Math.abs(zz) + Math.abs(xy) + Math.abs(xz) + Math.abs(yz);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    if (Math.abs(a[1]) + Math.abs(a[2]) + Math.abs(a[5]) <= 1e-17 * scale) break;
    rotate(v, 0, 1);
    rotate(v, 0, 2);
    rotate(v, 1, 2);
  }
  values[0] = a[0];
  values[1] = a[4];
  values[2] = a[8];
  if (values[0] < values[1]) swap(values, v, 0, 1);
  if (values[1] < values[2]) swap(values, v, 1, 2);
  if (values[0] < values[1]) swap(values, v, 0, 1);
  for (let i = 0; i < 9; i += 3) {
    let top = i;
    if (Math.abs(v[i + 1]) > Math.abs(v[top])) top = i + 1;
    if (Math.abs(v[i + 2]) > Math.abs(v[top])) top = i + 2;
    if (v[top] < 0) for (let c = i; c < i + 3; c++) v[c] = -v[c];
  }
}

/** One rotation that zeroes a(p, q); `a` becomes J' a J and the rows of `v` follow. */
function rotate(v: Float64Array, p: number, q: number): void {
  const apq = a[3 * p + q];
  if (apq === 0) return;
  const theta = (a[4 * q] - a[4 * p]) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const r = 3 - p - q;
  const arp = a[3 * r + p];
  const arq = a[3 * r + q];
  a[4 * p] -= t * apq;
  a[4 * q] += t * apq;
  a[3 * p + q] = a[3 * q + p] = 0;
  a[3 * r + p] = a[3 * p + r] = c * arp - s * arq;
  a[3 * r + q] = a[3 * q + r] = s * arp + c * arq;
  for (let k = 0; k < 3; k++) {
    const vp = v[3 * p + k];
    const vq = v[3 * q + k];
    v[3 * p + k] = c * vp - s * vq;
    v[3 * q + k] = s * vp + c * vq;
  }
}

function swap(values: Float64Array, v: Float64Array, i: number, j: number): void {
  [values[i], values[j]] = [values[j], values[i]];
  for (let k = 0; k < 3; k++) [v[3 * i + k], v[3 * j + k]] = [v[3 * j + k], v[3 * i + k]];
}
