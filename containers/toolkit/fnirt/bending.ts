import type { Dims } from '../../../imaging/image.ts';
import { cubicBspline, cubicSlope } from '../warp/coefficients.ts';

/** The quadratic form of bending energy: energy = 1/2 c'Hc. */
export interface Bending {
  /** Adds factor x H v to `out`. */
  addTo(out: Float64Array, v: Float64Array, factor: number): void;
  energy(v: Float64Array): number;
  /** Diagonal of H. */
  readonly diagonal: Float64Array;
}

/** Splines of knots further apart do not overlap. */
const REACH = 3;
const BAND = 2 * REACH + 1;

/** Gauss's quadrature on 0..1: exact for products of two cubics (degree 6). */
const INNER = Math.sqrt(3 / 7 - (2 / 7) * Math.sqrt(6 / 5));
const OUTER = Math.sqrt(3 / 7 + (2 / 7) * Math.sqrt(6 / 5));
const POINTS = [-OUTER, -INNER, INNER, OUTER].map((x) => (1 + x) / 2);
const POINT_WEIGHTS = [-1, 1, 1, -1].map((sign) => (18 + sign * Math.sqrt(30)) / 72);

/** Second derivatives with `t` of the cubic B-spline weights. */
function cubicCurvature(t: number, w: Float64Array): void {
  w[0] = 1 - t;
  w[1] = 3 * t - 2;
  w[2] = 1 - 3 * t;
  w[3] = t;
}

/**
 * Integrals in mm of products of two splines' derivatives of one order along an axis:
 * `band[7 i + 3 + q]` belongs to knots i and i + q.
 */
function products(knots: number, mm: number, order: 0 | 1 | 2): Float64Array {
  const band = new Float64Array(BAND * knots);
  const w = new Float64Array(4);
  const weigh = [cubicBspline, cubicSlope, cubicCurvature][order];
  const scale = mm / mm ** (2 * order);
  for (let first = 0; first + 3 < knots; first++)
    for (const [p, t] of POINTS.entries()) {
      weigh(t, w);
      for (let a = 0; a < 4; a++)
        for (let b = 0; b < 4; b++)
          band[BAND * (first + a) + REACH + b - a] += POINT_WEIGHTS[p] * scale * w[a] * w[b];
    }
  return band;
}

/** out += factor x band x, along one axis of [outer][n][inner]. */
function addBanded(
  x: Float64Array,
  out: Float64Array,
  band: Float64Array,
  inner: number,
  factor: number,
): void {
  const n = band.length / BAND;
  for (let start = 0; start < x.length; start += n * inner)
    for (let i = 0; i < n; i++) {
      const at = start + i * inner;
      const lo = Math.max(-REACH, -i);
      const hi = Math.min(REACH, n - 1 - i);
      if (inner === 1) {
        let sum = 0;
        for (let q = lo; q <= hi; q++) sum += band[BAND * i + REACH + q] * x[at + q];
        out[at] += factor * sum;
        continue;
      }
      for (let q = lo; q <= hi; q++) {
        const w = factor * band[BAND * i + REACH + q];
        const from = at + q * inner;
        for (let s = 0; s < inner; s++) out[at + s] += w * x[from + s];
      }
    }
}

/**
 * Bending energy of a cubic B-spline function: the integral over the lattice of its squared second derivatives, all nine
 * of the Hessian (Andersson, Jenkinson & Smith 2007, TR07JA2), exactly. In units of the function squared per mm. Only
 * functions that change linearly cost nothing.
 * @param spacingMm distance of the knots along x, y, z
 */
export function bendingEnergy(knots: Dims, spacingMm: readonly [number, number, number]): Bending {
  const count = knots[0] * knots[1] * knots[2];
  const inner = [1, knots[0], knots[0] * knots[1]];
  const bands = knots.map((n, a) => ([0, 1, 2] as const).map((order) => products(n, spacingMm[a], order)));
  const [alongX, alongY, alongZ] = bands;
  const z = [0, 1, 2].map(() => new Float64Array(count));
  const yz = new Float64Array(count);

  function addTo(out: Float64Array, v: Float64Array, factor: number): void {
    for (let order = 0; order < 3; order++) addBanded(v, z[order].fill(0), alongZ[order], inner[2], 1);
    const y = (order: number, from: Float64Array, weight: number) =>
      addBanded(from, yz, alongY[order], inner[1], weight);
    // Terms by their order along x; mixed derivatives count twice (xy and yx).
    yz.fill(0);
    y(0, z[0], 1);
    addBanded(yz, out, alongX[2], 1, factor);
    yz.fill(0);
    y(1, z[0], 2);
    y(0, z[1], 2);
    addBanded(yz, out, alongX[1], 1, factor);
    yz.fill(0);
    y(2, z[0], 1);
    y(0, z[2], 1);
    y(1, z[1], 2);
    addBanded(yz, out, alongX[0], 1, factor);
  }

  const diagonal = new Float64Array(count);
  for (let o = 0; o < count; o++) {
    const at = [o % knots[0], Math.floor(o / knots[0]) % knots[1], Math.floor(o / inner[2])];
    const d = (a: number, order: number) => bands[a][order][BAND * at[a] + REACH];
    diagonal[o] =
      d(0, 2) * d(1, 0) * d(2, 0) +
      d(0, 0) * d(1, 2) * d(2, 0) +
      d(0, 0) * d(1, 0) * d(2, 2) +
      2 * (d(0, 1) * d(1, 1) * d(2, 0) + d(0, 1) * d(1, 0) * d(2, 1) + d(0, 0) * d(1, 1) * d(2, 1));
  }
  const product = new Float64Array(count);
  return {
    addTo,
    diagonal,
    energy(v) {
      addTo(product.fill(0), v, 0.5);
      let sum = 0;
      for (let o = 0; o < count; o++) sum += product[o] * v[o];
      return sum;
    },
  };
}
