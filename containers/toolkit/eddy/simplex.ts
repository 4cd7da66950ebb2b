/** Derivative-free minimization by the simplex of Nelder & Mead 1965, Comput J 7:308. */

/** Where a search ended. */
export interface Minimum {
  readonly at: Float64Array;
  readonly value: number;
}

/**
 * Minimizes `cost` from `start`; the first simplex has edges `steps`. Deterministic. `cost` may return Infinity where
 * it is not defined, but not at `start`.
 * @param tolerance ends when best and worst of the simplex differ by less, relative to the best
 */
export function minimize(
  cost: (at: Float64Array) => number,
  start: ArrayLike<number>,
  steps: ArrayLike<number>,
  tolerance = 1e-6,
  maxEvaluations = 400,
): Minimum {
  const n = start.length;
  const evaluate = (at: Float64Array): Minimum => ({ at, value: cost(at) });
  const simplex = [evaluate(Float64Array.from(start))];
  for (let i = 0; i < n; i++) {
    const at = Float64Array.from(start);
    at[i] += steps[i];
    simplex.push(evaluate(at));
  }
  let evaluations = n + 1;
  const byValue = (a: Minimum, b: Minimum) => a.value - b.value;
  simplex.sort(byValue);
  while (
    evaluations < maxEvaluations &&
    simplex[n].value - simplex[0].value > tolerance * (Math.abs(simplex[0].value) + 1e-12)
  ) {
    const centroid = new Float64Array(n);
    for (let v = 0; v < n; v++) for (let i = 0; i < n; i++) centroid[i] += simplex[v].at[i] / n;
    const towards = (factor: number) => {
      evaluations++;
      return evaluate(centroid.map((c, i) => c + factor * (simplex[n].at[i] - c)));
    };
    const reflected = towards(-1);
    if (reflected.value < simplex[0].value) {
      const expanded = towards(-2);
      simplex[n] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < simplex[n - 1].value) simplex[n] = reflected;
    else {
      const contracted = towards(reflected.value < simplex[n].value ? -0.5 : 0.5);
      if (contracted.value < Math.min(reflected.value, simplex[n].value)) simplex[n] = contracted;
      else
        for (let v = 1; v <= n; v++) {
          evaluations++;
          simplex[v] = evaluate(simplex[v].at.map((x, i) => 0.5 * (x + simplex[0].at[i])));
        }
    }
    simplex.sort(byValue);
  }
  return simplex[0];
}
