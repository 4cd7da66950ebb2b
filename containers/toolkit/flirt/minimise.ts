/** Quasi-Newton minimization (BFGS; Nocedal & Wright, Numerical Optimization, chapters 3 and 6) for a handful of parameters. */

export interface MinimiseOptions {
  /** Length of the first step. */
  readonly firstStep: number;
  /** No step is longer than this. */
  readonly longestStep: number;
  /** Done when a step moves no parameter by more than this. */
  readonly tolerance: number;
  /** Most evaluations of the function. */
  readonly evaluations: number;
}

/** ARMIJO: least share of the promised decrease that a step must bring. */
const ARMIJO = 1e-4;

/**
 * Minimizes `f` from `start`.
 * @param f value at `p`, which fills `gradient`; Infinity where undefined (not at the start)
 * @returns the best point met and its value
 */
export function minimise(
  f: (p: Float64Array, gradient: Float64Array) => number,
  start: Float64Array,
  options: MinimiseOptions,
): { p: Float64Array; value: number } {
  const n = start.length;
  let p = Float64Array.from(start);
  let gradient = new Float64Array(n);
  let value = f(p, gradient);
  if (!Number.isFinite(value)) return { p, value };
  let evaluations = 1;
  const inverse = new Float64Array(n * n);
  const direction = new Float64Array(n);
  const hy = new Float64Array(n);
  let fresh = true;
  while (evaluations < options.evaluations) {
    const steepness = Math.hypot(...gradient);
    if (!(steepness > 0)) break;
    if (fresh) {
      inverse.fill(0);
      for (let i = 0; i < n; i++) inverse[i * n + i] = options.firstStep / steepness;
    }
    let slope = 0;
    let longest = 0;
    for (let i = 0; i < n; i++) {
      let d = 0;
      for (let j = 0; j < n; j++) d -= inverse[i * n + j] * gradient[j];
      direction[i] = d;
      slope += d * gradient[i];
      longest = Math.max(longest, Math.abs(d));
    }
    if (!(slope < 0)) {
      if (fresh) break;
      fresh = true;
      continue;
    }
    let t = Math.min(1, options.longestStep / longest);
    const next = new Float64Array(n);
    const nextGradient = new Float64Array(n);
    let nextValue = Number.POSITIVE_INFINITY;
    while (evaluations < options.evaluations) {
      for (let i = 0; i < n; i++) next[i] = p[i] + t * direction[i];
      nextValue = f(next, nextGradient);
      evaluations++;
      if (nextValue <= value + ARMIJO * t * slope || t * longest < options.tolerance) break;
      // Minimum of the parabola through both values and the slope, kept within sane bounds.
      const parabola = (-slope * t * t) / (2 * (nextValue - value - slope * t));
      t = Number.isFinite(parabola) ? Math.min(0.5 * t, Math.max(0.1 * t, parabola)) : 0.25 * t;
    }
    if (!(nextValue < value)) {
      if (fresh) break;
      fresh = true;
      continue;
    }
    let [sy, yy] = [0, 0];
    for (let i = 0; i < n; i++) {
      const dg = nextGradient[i] - gradient[i];
      sy += t * direction[i] * dg;
      yy += dg * dg;
    }
    if (sy > 1e-12 * yy) {
      if (fresh) for (let i = 0; i < n; i++) inverse[i * n + i] = sy / yy;
      let yhy = 0;
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += inverse[i * n + j] * (nextGradient[j] - gradient[j]);
        hy[i] = sum;
        yhy += sum * (nextGradient[i] - gradient[i]);
      }
      const scale = (1 + yhy / sy) / sy;
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          const [si, sj] = [t * direction[i], t * direction[j]];
          inverse[i * n + j] += scale * si * sj - (hy[i] * sj + si * hy[j]) / sy;
        }
      fresh = false;
    }
    [p, value, gradient] = [next, nextValue, nextGradient];
    if (t * longest < options.tolerance) {
      // A full short step is the end; a shortened one may only say that the curvature is wrong.
      if (t === 1) break;
      fresh = true;
    }
  }
  return { p, value };
}
