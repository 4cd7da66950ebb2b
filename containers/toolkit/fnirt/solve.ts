/**
 * Preconditioned conjugate gradients for a symmetric positive definite system (Hestenes & Stiefel 1952).
 * @param apply writes the product of the matrix with its first argument into its second
 * @param diagonal of the matrix, or what stands for it
 * @param tolerance of the residual's norm against that of `right`
 * @returns the solution, starting from 0
 */
export async function conjugateGradients(
  apply: (x: Float64Array, out: Float64Array) => Promise<void>,
  diagonal: Float64Array,
  right: Float64Array,
  tolerance: number,
  maxIterations: number,
): Promise<Float64Array> {
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
    await apply(p, q);
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
