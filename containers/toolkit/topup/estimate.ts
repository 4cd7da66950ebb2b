/** topup's estimation: coarse to fine, Levenberg-Marquardt at each level, conjugate gradients for each step. */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import type { Grid } from '../../../imaging/image.ts';
import type { Acquisition } from '../files.ts';
import { shared, type Threads } from '../threads.ts';
import type { Progress } from '../tool.ts';
import { type Bending, bendingEnergy } from './bending.ts';
import { phaseAxis } from './distortion.ts';
import type { TopupResult } from './field.ts';
import { createModel, levelFwhm, type Model, type MovementParameter, type Normal } from './model.ts';
import type { Level, Schedule } from './schedule.ts';
import { evaluateSpline, fitSpline, gridBases, knotCount } from './spline.ts';

/**
 * Puts FSL's lambda on the scale of our bending energy (displacement in mm, mean over knots): chosen on a simulation
 * with known field (2 mm voxels) and real 3 mm scans, where a factor of 5 either way changes little.
 */
const LAMBDA_SCALE = 2e7;
/**
 * FSL's last levels hardly weigh bending energy at all and rely on stopping early. We converge, so they keep this much:
 * else the field at 4 mm knots follows noise, and runs away in slices that some volumes miss.
 */
const LEAST_LAMBDA = 1e-6;
/** Gauss-Newton steps need not be exact: the next one starts from a better place. */
const CG_ITERATIONS = 15;
const CG_TOLERANCE = 0.2;
/** A level ends when an iteration lowers the cost by less than this share. */
const CONVERGED = 5e-3;
/** Damping of knots where no image says anything, against the mean over knots. */
const LEAST_CURVATURE = 1e-2;

/** The first volume acquired differently from volume 0. */
function anchorOf(acquisitions: readonly Acquisition[]): number {
  const key = (a: Acquisition) => `${a.direction} ${a.readoutSeconds}`;
  return acquisitions.findIndex((a) => key(a) !== key(acquisitions[0]));
}

/**
 * Movement is free for every volume but the first. A constant field and a translation along the phase-encode axis look
 * the same, so the first volume acquired differently from the first keeps its place along its own axis; see
 * {@link tieAnchor}.
 */
export function movingParameters(acquisitions: readonly Acquisition[]): MovementParameter[] {
  const anchor = anchorOf(acquisitions);
  return acquisitions.flatMap((a, volume) =>
    volume === 0
      ? []
      : [0, 1, 2, 3, 4, 5]
          .filter((index) => !(volume === anchor && index === phaseAxis(a)))
          .map((index) => ({ volume, index })),
  );
}

/**
 * Puts the first volume acquired differently where the volume before it lay, along its own phase-encode axis, which the
 * images do not tell: of all volumes that one was acquired nearest in time. (FSL puts it where volume 0 lay; with one
 * volume before it that is the same.) In place.
 */
function tieAnchor(movement: readonly Float64Array[], acquisitions: readonly Acquisition[]): void {
  const anchor = anchorOf(acquisitions);
  const axis = phaseAxis(acquisitions[anchor]);
  movement[anchor][axis] = movement[anchor - 1][axis];
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a += factor * b */
function add(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
}

/** Preconditioned conjugate gradients for a positive definite `apply`; starts from 0. */
async function conjugateGradients(
  apply: (v: Float64Array, out: Float64Array) => Promise<void>,
  rhs: Float64Array,
  preconditioner: Float64Array,
): Promise<Float64Array> {
  const x = new Float64Array(rhs.length);
  const r = rhs.slice();
  const z = r.map((v, i) => v * preconditioner[i]);
  const p = z.slice();
  const q = new Float64Array(rhs.length);
  let rz = dot(r, z);
  const target = rz * CG_TOLERANCE ** 2;
  for (let i = 0; i < CG_ITERATIONS && rz > target; i++) {
    await apply(p, q);
    const curvature = dot(p, q);
    if (!(curvature > 0)) break;
    const alpha = rz / curvature;
    add(x, p, alpha);
    add(r, q, -alpha);
    for (let k = 0; k < z.length; k++) z[k] = r[k] * preconditioner[k];
    const next = dot(r, z);
    for (let k = 0; k < p.length; k++) p[k] = z[k] + (next / rz) * p[k];
    rz = next;
  }
  return x;
}

/** One Levenberg-Marquardt step for coefficients and movement; movement is eliminated exactly (Schur complement). */
async function newtonStep(
  normal: Normal,
  coefficients: Float64Array,
  bending: Bending,
  lambda: number,
  damping: number,
): Promise<{ coefficients: Float64Array; movement: Float64Array }> {
  const m = normal.movementGradient.length;
  const diagonal = normal.diagonal.map((v, i) => v + lambda * bending.diagonal[i]);
  const floor = (LEAST_CURVATURE * diagonal.reduce((a, b) => a + b, 0)) / diagonal.length;
  const preconditioner = diagonal.map((v) => 1 / ((1 + damping) * v + floor));
  const rhs = normal.gradient.map((v) => -v);
  bending.addTo(rhs, coefficients, -lambda);
  let inverse: Matrix | undefined;
  if (m > 0) {
    const hessian = new Matrix(m, m);
    for (let s = 0; s < m; s++)
      for (let t = 0; t < m; t++)
        hessian.set(s, t, normal.movementHessian[s * m + t] * (s === t ? 1 + damping : 1));
    inverse = new CholeskyDecomposition(hessian).solve(Matrix.eye(m));
  }
  const eliminated = (w: number[]): number[] => inverse!.mmul(Matrix.columnVector(w)).to1DArray();
  if (inverse) {
    const y = eliminated(Array.from(normal.movementGradient));
    for (let s = 0; s < m; s++) add(rhs, normal.mixed[s], y[s]);
  }
  const step = await conjugateGradients(
    async (v, out) => {
      await normal.apply(v, out);
      bending.addTo(out, v, lambda);
      for (let i = 0; i < out.length; i++) out[i] += (damping * diagonal[i] + floor) * v[i];
      if (inverse) {
        const y = eliminated(normal.mixed.map((row) => dot(row, v)));
        for (let s = 0; s < m; s++) add(out, normal.mixed[s], -y[s]);
      }
    },
    rhs,
    preconditioner,
  );
  const movement = inverse
    ? eliminated(normal.mixed.map((row, s) => -normal.movementGradient[s] - dot(row, step)))
    : [];
  return { coefficients: step, movement: Float64Array.from(movement) };
}

interface State {
  coefficients: Float64Array;
  movement: Float64Array[];
}

/** Knot distances of a level in voxels: nearer than 2 voxels the field could fold every other voxel onto its neighbour. */
function knotSpacing(level: Level, grid: Grid): [number, number, number] {
  return grid.voxelSizes.map((mm) => Math.max(2, Math.round(level.warpres / mm))) as [number, number, number];
}

/**
 * True where a level that has converged has nothing to add to the one before. FSL's schedule ends with levels that
 * differ in knots, smoothing and lambda below what can be told on the grid.
 */
function sameProblem(a: Level, b: Level, grid: Grid): boolean {
  return (
    knotSpacing(a, grid).join() === knotSpacing(b, grid).join() &&
    a.subsamp === b.subsamp &&
    levelFwhm(a, grid).join() === levelFwhm(b, grid).join() &&
    a.estmov === b.estmov &&
    Math.max(a.lambda, LEAST_LAMBDA) === Math.max(b.lambda, LEAST_LAMBDA)
  );
}

/** Runs one level until it has converged or made `level.miter` iterations. */
async function minimize(
  model: Model,
  start: State,
  level: Level,
  ssqlambda: boolean,
  lambdaScale: number,
  bending: Bending,
  moving: readonly MovementParameter[],
  report: (iteration: number, meanSquare: number) => void,
): Promise<{ state: State; converged: boolean }> {
  let state = start;
  let meanSquare = await model.evaluate(state.coefficients, state.movement);
  let damping = 1e-3;
  for (let iteration = 0; iteration < level.miter; iteration++) {
    report(iteration, meanSquare);
    const weight = lambdaScale * Math.max(level.lambda, LEAST_LAMBDA) * (ssqlambda ? meanSquare : 1);
    const cost = meanSquare + weight * bending.energy(state.coefficients);
    const normal = await model.normal();
    let accepted = false;
    let gain = 0;
    for (let attempt = 0; attempt < 4 && !accepted; attempt++) {
      const step = await newtonStep(normal, state.coefficients, bending, weight / 2, damping);
      const coefficients = state.coefficients.slice();
      add(coefficients, step.coefficients, 1);
      const movement = state.movement.map((row) => row.slice());
      for (const [s, p] of moving.entries()) movement[p.volume][p.index] += step.movement[s];
      const trial = await model.evaluate(coefficients, movement);
      gain = cost - (trial + weight * bending.energy(coefficients));
      if (gain > 0) {
        state = { coefficients, movement };
        meanSquare = trial;
        accepted = true;
        damping = Math.max(1e-4, damping / 10);
      } else damping *= 10;
    }
    if (!accepted || gain < CONVERGED * cost) return { state, converged: true };
  }
  return { state, converged: false };
}

/**
 * Levels with movement held that estimate it nevertheless: the first on the finest grid. FSL's schedule holds movement
 * once it compares every voxel, but what is found on every other one is off by up to 0.1 mm, and the field takes it up.
 */
function refined(levels: readonly Level[]): Level[] {
  const finest = levels.findIndex((l) => l.subsamp === Math.min(...levels.map((other) => other.subsamp)));
  const moves = levels.slice(0, finest).some((l) => l.estmov);
  return levels.map((level, l) => (l === finest && moves ? { ...level, estmov: true } : level));
}

/**
 * Estimates the off-resonance field and the movement between volumes.
 * @param volumes undistorted nowhere, two or more ways of phase encoding among them; voxels counted radiologically
 * @param acquisitions one per volume
 */
export async function estimateTopup(
  volumes: readonly Float32Array[],
  grid: Grid,
  acquisitions: readonly Acquisition[],
  schedule: Schedule,
  threads: Threads,
  progress: Progress,
): Promise<TopupResult> {
  let spacing: [number, number, number] | undefined;
  let converged = false;
  let state: State = { coefficients: new Float64Array(0), movement: volumes.map(() => new Float64Array(6)) };
  const common = volumes.map(shared);
  const levels = refined(schedule.levels);
  const mmPerHz = acquisitions.map((a) => a.readoutSeconds * grid.voxelSizes[phaseAxis(a)]);
  const lambdaScale = (LAMBDA_SCALE * mmPerHz.reduce((s, v) => s + v * v, 0)) / mmPerHz.length;
  for (const [l, level] of levels.entries()) {
    if (converged && sameProblem(level, levels[l - 1], grid)) continue;
    const next = knotSpacing(level, grid);
    let { coefficients } = state;
    if (!spacing)
      coefficients = new Float64Array(grid.dims.reduce((p, d, a) => p * knotCount(d, next[a]), 1));
    else if (next.some((k, a) => k !== spacing![a])) {
      const field = evaluateSpline(new Float32Array(coefficients), gridBases(grid.dims, spacing));
      coefficients = new Float64Array(fitSpline(field, gridBases(grid.dims, next)));
    }
    spacing = next;
    const moving = level.estmov ? movingParameters(acquisitions) : [];
    const movement = state.movement.map((row) => row.slice());
    if (level.estmov) tieAnchor(movement, acquisitions);
    const model = await createModel(common, grid, acquisitions, level, spacing, moving, threads);
    const knots = grid.dims.map((d, a) => knotCount(d, next[a])) as [number, number, number];
    const mm = grid.voxelSizes.map((size, a) => size * next[a]) as [number, number, number];
    const bending = bendingEnergy(knots, mm);
    ({ state, converged } = await minimize(
      model,
      { coefficients, movement },
      level,
      schedule.ssqlambda,
      lambdaScale,
      bending,
      moving,
      (iteration, meanSquare) =>
        progress(
          (l + iteration / level.miter) / levels.length,
          `level ${l + 1} of ${levels.length}, iteration ${iteration + 1}: mean square difference ${meanSquare.toPrecision(4)}`,
        ),
    ));
  }
  if (!spacing) throw new RangeError('a schedule has at least one level');
  return {
    field: { imageDims: grid.dims, spacing, coefficients: new Float32Array(state.coefficients) },
    movement: state.movement,
  };
}
