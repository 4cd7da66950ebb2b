/** Linear systems of the two optimizers. */

/**
 * Preconditioned conjugate gradients for a symmetric positive definite system (Hestenes & Stiefel 1952).
 * @param apply writes the product of the matrix with its first argument into its second
 * @param diagonal of the matrix, or what stands for it
 * @param tolerance of the residual's norm against that of `right`
 * @returns the solution, starting from 0
 */
export function conjugateGradients(
  apply: (x: Float64Array, out: Float64Array) => void,
  diagonal: Float64Array,
  right: Float64Array,
  tolerance: number,
  maxIterations: number,
): Float64Array {
  const n = right.length;
  const x = new Float64Array(n);
  const r = Float64Array.from(right);
  const p = new Float64Array(n);
  const q = new Float64Array(n);
  let rz = 0;
  for (let i = 0; i < n; i++) {
    p[i] = r[i] / diagonal[i];
    rz += r[i] * p[i];
  }
  const goal = tolerance * tolerance * rz;
  for (let step = 0; step < maxIterations && rz > goal && rz > 0; step++) {
    apply(p, q);
    let pq = 0;
    for (let i = 0; i < n; i++) pq += p[i] * q[i];
    if (!(pq > 0)) break;
    const alpha = rz / pq;
    let next = 0;
    for (let i = 0; i < n; i++) {
      x[i] += alpha * p[i];
      r[i] -= alpha * q[i];
      next += (r[i] * r[i]) / diagonal[i];
    }
    const beta = next / rz;
    rz = next;
    for (let i = 0; i < n; i++) p[i] = r[i] / diagonal[i] + beta * p[i];
  }
  return x;
}

/**
 * Solves a small symmetric positive definite system by Cholesky's factors.
 * @param a n x n row-major; its lower triangle is overwritten
 * @returns undefined when `a` is not positive definite
 */
export function cholesky(a: Float64Array, right: Float64Array): Float64Array | undefined {
  const n = right.length;
  const x = Float64Array.from(right);
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) {
      for (let i = j; i < n; i++) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    }
    const pivot = a[j * n + j];
    if (!(pivot > 0)) return undefined;
    const root = Math.sqrt(pivot);
    for (let i = j; i < n; i++) a[i * n + j] /= root;
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= a[i * n + k] * x[k];
    x[i] /= a[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= a[k * n + i] * x[k];
    x[i] /= a[i * n + i];
  }
  return x;
}
