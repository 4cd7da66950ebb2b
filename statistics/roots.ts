/** Roots of functions of one variable. */

/**
 * Where a continuous function that changes its sign between low and high is zero, by bisection down to neighbouring
 * doubles: slow and sure.
 * @throws RangeError where the signs at both ends are the same
 */
export function rootOf(f: (x: number) => number, low: number, high: number): number {
  const rising = f(high) > 0;
  if (f(low) > 0 === rising) throw new RangeError(`rootOf: no change of sign between ${low} and ${high}`);
  let [below, above] = [low, high];
  for (;;) {
    const middle = below + (above - below) / 2;
    if (middle <= below || middle >= above) return middle;
    if (f(middle) > 0 === rising) above = middle;
    else below = middle;
  }
}
