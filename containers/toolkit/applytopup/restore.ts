/**
 * Least-squares restoration of one undistorted image from several with different distortion along one axis (Andersson,
 * Skare & Ashburner 2003, NeuroImage 20:870): each acquired line is a known matrix times the true line, so where one
 * polarity piles signal up beyond recovery, the other, stretched there, still tells it apart.
 */

/** One acquired volume and where its signal went. */
export interface Acquired {
  /** Voxels, with movement undone but not distortion. */
  readonly volume: Float32Array;
  /** Shift in voxels along the axis at each undistorted voxel. */
  readonly shift: Float32Array;
}

/** Weight of squared differences of neighbours against squared residuals: settles what no image tells. */
const SMOOTHNESS = 1e-3;

/**
 * Adds to `matrix` (n x n, row = acquired voxel, column = true voxel) how a line's signal spreads: voxel x fills the
 * stretch between its shifted edges evenly. Signal is kept; what leaves the line is lost.
 */
function distortionMatrix(shift: Float64Array, matrix: Float64Array): void {
  const n = shift.length;
  matrix.fill(0);
  for (let x = 0; x < n; x++) {
    const left = x - 0.5 + (x > 0 ? (shift[x - 1] + shift[x]) / 2 : shift[x]);
    const right = x + 0.5 + (x < n - 1 ? (shift[x + 1] + shift[x]) / 2 : shift[x]);
    const lo = Math.min(left, right);
    const hi = Math.max(left, right);
    // Folded to a point: all of it falls into one voxel.
    const width = Math.max(hi - lo, 1e-6);
    for (let y = Math.max(0, Math.round(lo)); y <= Math.min(n - 1, Math.round(hi)); y++) {
      const overlap = Math.min(hi, y + 0.5) - Math.max(lo, y - 0.5);
      if (overlap > 0) matrix[y * n + x] += overlap / width;
      else if (hi - lo < 1e-6 && y === Math.round(lo)) matrix[y * n + x] += 1;
    }
  }
}

/** Solves the symmetric positive definite n x n system in place (Cholesky); the solution is left in `b`. */
function solve(a: Float64Array, b: Float64Array, reach: number): void {
  const n = b.length;
  for (let c = 0; c < n; c++) {
    const end = Math.min(n - 1, c + reach);
    for (let k = Math.max(0, c - reach); k < c; k++) {
      const v = a[c * n + k];
      if (v !== 0) for (let r = c; r <= Math.min(end, k + reach); r++) a[r * n + c] -= a[r * n + k] * v;
    }
    const pivot = Math.sqrt(a[c * n + c]);
    for (let r = c; r <= end; r++) a[r * n + c] /= pivot;
  }
  for (let r = 0; r < n; r++) {
    for (let k = Math.max(0, r - reach); k < r; k++) b[r] -= a[r * n + k] * b[k];
    b[r] /= a[r * n + r];
  }
  for (let r = n - 1; r >= 0; r--) {
    for (let k = r + 1; k <= Math.min(n - 1, r + reach); k++) b[r] -= a[k * n + r] * b[k];
    b[r] /= a[r * n + r];
  }
}

/** The true image that explains all acquired ones best, line by line along `axis`. */
export function restore(
  images: readonly Acquired[],
  dims: readonly [number, number, number],
  axis: 0 | 1,
): Float32Array {
  const n = dims[axis];
  const stride = axis === 0 ? 1 : dims[0];
  const out = new Float32Array(dims[0] * dims[1] * dims[2]);
  const shift = new Float64Array(n);
  const matrix = new Float64Array(n * n);
  const normal = new Float64Array(n * n);
  const rhs = new Float64Array(n);
  for (let block = 0; block < out.length; block += n * stride)
    for (let s = 0; s < stride; s++) {
      const start = block + s;
      normal.fill(0);
      rhs.fill(0);
      let reach = 1;
      for (let i = 0; i < n; i++) {
        normal[i * n + i] += SMOOTHNESS * ((i > 0 ? 1 : 0) + (i < n - 1 ? 1 : 0)) + 1e-9;
        if (i > 0) normal[i * n + i - 1] -= SMOOTHNESS;
      }
      for (const image of images) {
        for (let i = 0; i < n; i++) shift[i] = image.shift[start + i * stride];
        distortionMatrix(shift, matrix);
        for (let y = 0; y < n; y++) {
          let first = 0;
          while (first < n && matrix[y * n + first] === 0) first++;
          if (first === n) continue;
          let last = n - 1;
          while (matrix[y * n + last] === 0) last--;
          reach = Math.max(reach, last - first);
          const value = image.volume[start + y * stride];
          for (let p = first; p <= last; p++) {
            const w = matrix[y * n + p];
            if (w === 0) continue;
            rhs[p] += w * value;
            for (let q = first; q <= p; q++) normal[p * n + q] += w * matrix[y * n + q];
          }
        }
      }
      solve(normal, rhs, reach);
      for (let i = 0; i < n; i++) out[start + i * stride] = rhs[i];
    }
  return out;
}
