/** Integrals over the whole real line. */

/** Terms this much smaller than the sum, in logarithms, end it: e^-46 = 1e-20. */
const NEGLIGIBLE = 46;

/**
 * Logarithm of the integral of exp(logIntegrand(u)) du over the real line, by the trapezoidal rule on the logarithmic
 * scale, so that neither tiny nor huge integrands under- or overflow. For an analytic integrand with one peak the error
 * falls exponentially as the step shrinks (Trefethen & Weideman 2014, SIAM Review 56:385-458).
 * @param step about half the width of the peak, as the standard deviation of a normal density is
 */
export function logIntegral(logIntegrand: (u: number) => number, step: number): number {
  const peak = climb(logIntegrand, step);
  const highest = logIntegrand(peak);
  let sum = 1;
  for (const direction of [-step, step])
    for (let i = 1; ; i++) {
      const below = logIntegrand(peak + i * direction) - highest;
      if (!(below > Math.log(sum) - NEGLIGIBLE)) break;
      sum += Math.exp(below);
    }
  return highest + Math.log(sum * step);
}

/** The highest point of a function with one peak, to within the step: strides double uphill and halve past the top. */
function climb(f: (u: number) => number, step: number): number {
  let at = 0;
  let value = f(at);
  let stride = f(step) >= f(-step) ? step : -step;
  while (Math.abs(stride) >= step / 2) {
    const ahead = f(at + stride);
    if (ahead > value) {
      at += stride;
      value = ahead;
      stride *= 2;
    } else stride /= -2;
  }
  return at;
}
