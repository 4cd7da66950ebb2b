/** Whether values may come from a normal distribution. */
import normal from '@stdlib/stats-base-dists-normal';
import { isConstant, mean, requireFinite, sumOfSquares } from './descriptive.ts';
import { StatisticsError } from './errors.ts';

export interface ShapiroWilk {
  readonly n: number;
  /** 1 at best. */
  readonly w: number;
  readonly p: number;
}

/**
 * Shapiro and Wilk's test, with Royston's approximations of the weights and of the distribution of W (AS R94: Royston 1995,
 * Applied Statistics 44:547-551), as in R's shapiro.test.
 * @throws StatisticsError TOO_FEW under three values, TOO_LARGE above 5000, for which it is not calibrated; CONSTANT
 */
export function shapiroWilk(values: readonly number[]): ShapiroWilk {
  requireFinite(values, 3, 'Shapiro-Wilk');
  const n = values.length;
  if (n > 5000) throw new StatisticsError('TOO_LARGE', `${n} values: Shapiro-Wilk takes up to 5000`);
  if (isConstant(values)) throw new StatisticsError('CONSTANT', 'the values do not vary');
  const x = [...values].sort((a, b) => a - b);
  const weights = weightsOf(n);
  const [centre, spread] = [mean(x), Math.sqrt(sumOfSquares(x))];
  const z = x.map((v) => (v - centre) / spread);
  // 1 - W without cancellation: W is the squared correlation r of values and weights, and the squared distance of these
  // two unit vectors is 2 (1 - r).
  const size = Math.sqrt(weights.reduce((sum, a) => sum + a * a, 0));
  const half = z.reduce((sum, v, i) => sum + (v - weights[i] / size) ** 2, 0) / 2;
  const lacking = half * (2 - half);
  return { n, w: 1 - lacking, p: pOf(lacking, n) };
}

/** Weights of the order statistics; antisymmetric. */
function weightsOf(n: number): number[] {
  if (n === 3) return [-Math.SQRT1_2, 0, Math.SQRT1_2];
  const m = Array.from({ length: n }, (_, i) => normal.quantile((i + 1 - 0.375) / (n + 0.25), 0, 1));
  const m2 = m.reduce((sum, v) => sum + v * v, 0);
  const u = 1 / Math.sqrt(n);
  const last =
    m[n - 1] / Math.sqrt(m2) + polynomial([0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056], u);
  if (n <= 5) {
    const phi = (m2 - 2 * m[n - 1] ** 2) / (1 - 2 * last ** 2);
    return m.map((v, i) => (i === 0 ? -last : i === n - 1 ? last : v / Math.sqrt(phi)));
  }
  const second =
    m[n - 2] / Math.sqrt(m2) + polynomial([0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633], u);
  const phi = (m2 - 2 * m[n - 1] ** 2 - 2 * m[n - 2] ** 2) / (1 - 2 * last ** 2 - 2 * second ** 2);
  const weights = m.map((v) => v / Math.sqrt(phi));
  weights[0] = -last;
  weights[1] = -second;
  weights[n - 2] = second;
  weights[n - 1] = last;
  return weights;
}

/** P of a W at least as far below 1: exact for n = 3, otherwise by a normal approximation to a function of 1 - W. */
function pOf(lacking: number, n: number): number {
  if (n === 3) {
    const p = (6 / Math.PI) * (Math.asin(Math.sqrt(1 - lacking)) - Math.asin(Math.sqrt(0.75)));
    return Math.min(1, Math.max(0, p));
  }
  let y = Math.log(lacking);
  let [mu, logSigma] = [0, 0];
  if (n <= 11) {
    const gamma = polynomial([-2.273, 0.459], n);
    if (y >= gamma) return 0;
    y = -Math.log(gamma - y);
    mu = polynomial([0.544, -0.39978, 0.025054, -6.714e-4], n);
    logSigma = polynomial([1.3822, -0.77857, 0.062767, -0.0020322], n);
  } else {
    const logN = Math.log(n);
    mu = polynomial([-1.5861, -0.31082, -0.083751, 0.0038915], logN);
    logSigma = polynomial([-0.4803, -0.082676, 0.0030302], logN);
  }
  return normal.cdf(-(y - mu) / Math.exp(logSigma), 0, 1);
}

/** coefficients[0] + coefficients[1] x + ... */
function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduceRight((sum, c) => sum * x + c, 0);
}
