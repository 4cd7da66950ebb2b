/**
 * Non-linear registration by Gauss-Newton steps on a spline displacement field (Andersson, Jenkinson & Smith 2007,
 * FMRIB technical report TR07JA2): least squares between the reference and the warped input, whose global scale and
 * offset are fitted along, plus bending energy. The normal equations are never formed: conjugate gradients needs
 * only their product with a vector, which tensor-product splines give in a few passes over the grid.
 */
import { type Matrix4, multiply } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { addBending, addBendingDiagonal } from './bending.ts';
import { axisPositions, SplineLattice } from './lattice.ts';
import type { Level } from './level.ts';
import { conjugateGradients } from './solve.ts';

/** Spline coefficients of the displacement along the input's x, y, z in mm, knot i at (i - 1) x spacing. */
export interface Spline {
  readonly spacingMm: number;
  readonly knots: Dims;
  readonly coefficients: readonly [Float64Array, Float64Array, Float64Array];
}

export interface NonlinearOptions {
  /** Weight of the mean squared second derivative (mm^-2) against the mean squared residual in units of its noise. */
  readonly lambda: number;
  readonly iterations: number;
}

/**
 * Improves a spline at one level. The input at `linear(x) + displacement(x)` shall look like the reference at x.
 * @param linear reference FSL mm to input FSL mm
 * @param onIteration told the root mean square residual (reference's standard deviations)
 */
export function refineWarp(
  level: Level,
  linear: Matrix4,
  start: Spline,
  options: NonlinearOptions,
  onIteration: (iteration: number, residual: number) => void = () => {},
): Spline {
  const { spacingMm, knots } = start;
  const lattice = new SplineLattice(axisPositions(level.grid.dims, level.toReferenceMm), spacingMm, knots);
  const voxels = level.target.length;
  const count = knots[0] * knots[1] * knots[2];
  const fields = triple(() => new Float32Array(voxels));
  const cellMm3 = level.grid.voxelSizes.reduce((a, b) => a * b);
  let weightMm3 = 0;
  for (const w of level.weight) weightMm3 += w * cellMm3;
  // Integral over space of squared second derivatives, per volume that counts.
  const bending = options.lambda / spacingMm / weightMm3;
  const part = (all: Float64Array, c: number) => all.subarray(c * count, (c + 1) * count);

  const all = new Float64Array(3 * count);
  start.coefficients.forEach((c, i) => {
    part(all, i).set(c);
  });
  const gradients = triple(() => new Float32Array(voxels));
  const trialGradients = triple(() => new Float32Array(voxels));
  let current = new Residual(level, linear, gradients);
  let trial = new Residual(level, linear, trialGradients);
  const evaluate = (coefficients: Float64Array, into: Residual) => {
    for (let c = 0; c < 3; c++) lattice.expand(part(coefficients, c), fields[c]);
    into.evaluate(fields);
  };
  const sink = new Float64Array(count);
  const bendingOf = (coefficients: Float64Array) => {
    let energy = 0;
    for (let c = 0; c < 3; c++) energy += addBending(part(coefficients, c), knots, bending, sink);
    return energy;
  };

  evaluate(all, current);
  const scratch = new Float32Array(voxels);
  const right = new Float64Array(3 * count);
  const diagonal = new Float64Array(3 * count);
  const candidate = new Float64Array(3 * count);
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    onIteration(iteration, Math.sqrt(current.meanSquare));
    // Residual variance: what the data say of their own noise. Held through one step.
    const data = 1 / Math.max(current.meanSquare, 1e-6) / current.total;
    const g = current.gradients;
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < voxels; i++) scratch[i] = -data * current.residual[i] * g[c][i];
      lattice.gather(scratch, part(right, c));
      addBending(part(all, c), knots, -bending, part(right, c));
      for (let i = 0; i < voxels; i++) scratch[i] = data * g[c][i] * g[c][i];
      lattice.gatherSquared(scratch, part(diagonal, c));
      addBendingDiagonal(knots, bending, part(diagonal, c));
      for (let i = c * count; i < (c + 1) * count; i++) diagonal[i] = Math.max(diagonal[i], 1e-12);
    }
    const step = conjugateGradients(
      (v, out) => {
        for (let c = 0; c < 3; c++) lattice.expand(part(v, c), fields[c]);
        const [ux, uy, uz] = fields;
        const [gx, gy, gz] = g;
        for (let i = 0; i < voxels; i++) {
          const t = data * (gx[i] * ux[i] + gy[i] * uy[i] + gz[i] * uz[i]);
          ux[i] = gx[i] * t;
          uy[i] = gy[i] * t;
          uz[i] = gz[i] * t;
        }
        for (let c = 0; c < 3; c++) {
          lattice.gather(fields[c], part(out, c));
          addBending(part(v, c), knots, bending, part(out, c));
        }
      },
      diagonal,
      right,
      0.1,
      30,
    );
    const costOf = (r: Residual, coefficients: Float64Array) =>
      0.5 * data * r.meanSquare * current.total + bendingOf(coefficients);
    const before = costOf(current, all);
    let length = 1;
    let after = before;
    for (; length > 0.1; length /= 2) {
      for (let i = 0; i < candidate.length; i++) candidate[i] = all[i] + length * step[i];
      evaluate(candidate, trial);
      after = costOf(trial, candidate);
      if (after < before) break;
    }
    if (!(after < before)) break;
    all.set(candidate);
    [current, trial] = [trial, current];
    if (before - after < 1e-4 * before) break;
  }
  onIteration(options.iterations, Math.sqrt(current.meanSquare));
  return { spacingMm, knots, coefficients: [0, 1, 2].map((c) => part(all, c).slice()) as never };
}

function triple(make: () => Float32Array): [Float32Array, Float32Array, Float32Array] {
  return [make(), make(), make()];
}

/** The warped input against the reference, with its derivatives. */
class Residual {
  /** Weighted residual per voxel. */
  readonly residual: Float32Array;
  /** Weighted derivative of the residual with the displacement along x, y, z (per mm). */
  readonly gradients: readonly [Float32Array, Float32Array, Float32Array];
  meanSquare = 0;
  /** Sum of the weights of voxels that fall inside the input. */
  total = 0;
  private readonly level: Level;
  private readonly toVoxel: Matrix4;
  private readonly value: Float32Array;
  private readonly inside: Float32Array;

  constructor(level: Level, linear: Matrix4, gradients: [Float32Array, Float32Array, Float32Array]) {
    this.level = level;
    this.gradients = gradients;
    this.toVoxel = multiply(level.toSourceVoxel, multiply(linear, level.toReferenceMm));
    this.residual = new Float32Array(level.target.length);
    this.value = new Float32Array(level.target.length);
    this.inside = new Float32Array(level.target.length);
  }

  /** @param fields displacement along x, y, z in mm at the level's voxels */
  evaluate([dx, dy, dz]: readonly Float32Array[]): void {
    const { target, weight, source, grid, toSourceVoxel: s } = this.level;
    const { toVoxel: m, value, inside, residual } = this;
    const [gx, gy, gz] = this.gradients;
    const sample = new Float64Array(4);
    const [nx, ny, nz] = grid.dims;
    let [n, sv, st, svv, svt, stt] = [0, 0, 0, 0, 0, 0];
    for (let k = 0, o = 0; k < nz; k++)
      for (let j = 0; j < ny; j++)
        for (let i = 0; i < nx; i++, o++) {
          if (weight[o] === 0) continue;
          const ok = source(
            m[0] * i + m[1] * j + m[2] * k + m[3] + s[0] * dx[o],
            m[4] * i + m[5] * j + m[6] * k + m[7] + s[5] * dy[o],
            m[8] * i + m[9] * j + m[10] * k + m[11] + s[10] * dz[o],
            sample,
          );
          const w = ok ? weight[o] : 0;
          inside[o] = w;
          value[o] = sample[0];
          gx[o] = sample[1] * s[0];
          gy[o] = sample[2] * s[5];
          gz[o] = sample[3] * s[10];
          const [v, t] = [sample[0], target[o]];
          n += w;
          sv += w * v;
          st += w * t;
          svv += w * v * v;
          svt += w * v * t;
          stt += w * t * t;
        }
    // The scale and offset that take the input's intensities to the reference's, by least squares.
    const variance = svv - (sv * sv) / n;
    const scale = Math.max(0, svt - (sv * st) / n) / Math.max(variance, 1e-30);
    const offset = (st - scale * sv) / n;
    this.total = n;
    this.meanSquare =
      (scale * scale * svv +
        2 * scale * offset * sv +
        n * offset * offset -
        2 * scale * svt -
        2 * offset * st +
        stt) /
      n;
    for (let o = 0; o < value.length; o++) {
      if (weight[o] === 0) continue;
      const root = Math.sqrt(inside[o]);
      residual[o] = root * (scale * value[o] + offset - target[o]);
      gx[o] *= root * scale;
      gy[o] *= root * scale;
      gz[o] *= root * scale;
    }
  }
}
