import type { Dims } from '../../../imaging/image.ts';

/**
 * Bending energy of a spline by second differences of its coefficients (P-splines: Eilers & Marx 1996, Stat Sci 11:89):
 * the sum over the lattice of |second derivative|^2, all nine of the Hessian, in spacing^-4. Adds `scale` times its
 * gradient to `out`. Functions linear in space cost nothing.
 * @returns scale x half the energy
 */
export function addBending(c: Float64Array, knots: Dims, scale: number, out: Float64Array): number {
  const strides = [1, knots[0], knots[0] * knots[1]];
  let energy = 0;
  for (let a = 0; a < 3; a++)
    for (let b = a; b < 3; b++) {
      const [sa, sb] = [strides[a], strides[b]];
      const [lo, hi] = bounds(knots, a, b);
      for (let k = lo[2]; k < hi[2]; k++)
        for (let j = lo[1]; j < hi[1]; j++) {
          let o = lo[0] + knots[0] * (j + knots[1] * k);
          if (a === b)
            for (let i = lo[0]; i < hi[0]; i++, o++) {
              const d = c[o - sa] - 2 * c[o] + c[o + sa];
              energy += d * d;
              const t = scale * d;
              out[o - sa] += t;
              out[o] -= 2 * t;
              out[o + sa] += t;
            }
          else
            for (let i = lo[0]; i < hi[0]; i++, o++) {
              const d = c[o] - c[o + sa] - c[o + sb] + c[o + sa + sb];
              energy += 2 * d * d; // xy and yx
              const t = 2 * scale * d;
              out[o] += t;
              out[o + sa] -= t;
              out[o + sb] -= t;
              out[o + sa + sb] += t;
            }
        }
    }
  return 0.5 * scale * energy;
}

/** Adds `scale` times the diagonal of the bending energy's second derivative to `out`. */
export function addBendingDiagonal(knots: Dims, scale: number, out: Float64Array): void {
  const strides = [1, knots[0], knots[0] * knots[1]];
  for (let a = 0; a < 3; a++)
    for (let b = a; b < 3; b++) {
      const [lo, hi] = bounds(knots, a, b);
      const stencil: [number, number][] =
        a === b
          ? [
              [-strides[a], 1],
              [0, 4],
              [strides[a], 1],
            ]
          : [0, strides[a], strides[b], strides[a] + strides[b]].map((s) => [s, 2]);
      for (let k = lo[2]; k < hi[2]; k++)
        for (let j = lo[1]; j < hi[1]; j++)
          for (let i = lo[0]; i < hi[0]; i++) {
            const o = i + knots[0] * (j + knots[1] * k);
            for (const [s, w] of stencil) out[o + s] += scale * w;
          }
    }
}

/** Lattice points at which the second difference along axes a and b has all its neighbours. */
function bounds(knots: Dims, a: number, b: number): [number[], number[]] {
  const lo = [0, 0, 0];
  const hi = [...knots];
  if (a === b) lo[a] = 1;
  hi[a] -= 1;
  if (a !== b) hi[b] -= 1;
  return [lo, hi];
}
