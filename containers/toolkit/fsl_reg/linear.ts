/**
 * Affine registration by damped Gauss-Newton steps (Levenberg-Marquardt) on the least-squares residual with free scale
 * and offset of the input's intensities: the same as maximizing correlation. Many starting rotations on the coarsest
 * level, the best of them on the finer ones (Jenkinson & Smith 2001, Med Image Anal 5:143, on why many starts).
 */
import {
  chain,
  invert,
  type Matrix4,
  multiply,
  rotation,
  transformPoint,
  translation,
} from '../../../imaging/affine.ts';
import { type Grid, type Image, voxelToFsl } from '../../../imaging/image.ts';
import { type Level, levelToMm, type Reference } from './level.ts';
import { cholesky } from './solve.ts';

/** Numbers of parameters FLIRT knows: rigid, with one scale, with three scales, with shears. */
export type Dof = 6 | 7 | 9 | 12;

/** Parameters: rotations (radians), translations (mm), log scales, shears. */
const ROTATION = 0;
const SCALE = 6;

/** The matrix of parameters about the centre of the reference. */
function matrixOf(p: Float64Array): Matrix4 {
  const scale = (a: number) => Math.exp(p.length === 7 ? p[SCALE] : (p[SCALE + a] ?? 0));
  const [xy, xz, yz] = [p[9] ?? 0, p[10] ?? 0, p[11] ?? 0];
  const [sx, sy, sz] = [scale(0), scale(1), scale(2)];
  return chain(
    translation(p[3], p[4], p[5]),
    rotation(p[0], p[1], p[2]),
    Float64Array.of(sx, sx * xy, sx * xz, 0, 0, sy, sy * yz, 0, 0, 0, sz, 0, 0, 0, 0, 1),
  );
}

/** Centre of mass of an image's intensities, in the space that `toMm` takes its voxels to. */
function centreOfMass(image: Image, toMm: Matrix4): [number, number, number] {
  const [nx, ny, nz] = image.grid.dims;
  let [total, x, y, z] = [0, 0, 0, 0];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const v = Math.max(0, image.data[o]);
        total += v;
        x += v * i;
        y += v * j;
        z += v * k;
      }
  return transformPoint(toMm, x / total, y / total, z / total);
}

/** The rotation between the images' axes that their headers tell, FSL mm of the reference to FSL mm of the input. */
function headerRotation(input: Grid, reference: Grid): Matrix4 {
  const m = chain(voxelToFsl(input), invert(input.affine), reference.affine, invert(voxelToFsl(reference)));
  m[3] = m[7] = m[11] = 0;
  return m;
}

/**
 * @param levels coarse to fine
 * @param start FLIRT matrix of input to reference to start from instead of a search
 * @returns FLIRT matrix of input to reference
 */
export function registerLinear(
  input: Image,
  reference: Reference,
  levels: readonly Level[],
  dof: Dof,
  start?: Matrix4,
): Matrix4 {
  const centre = centreOfMass(reference.image, levelToMm(reference, reference.image.grid));
  const outer = start
    ? multiply(invert(start), translation(...centre))
    : multiply(
        translation(...centreOfMass(input, voxelToFsl(input.grid))),
        headerRotation(input.grid, reference.original),
      );
  const inner = translation(-centre[0], -centre[1], -centre[2]);
  const toInput = (p: Float64Array) => chain(outer, matrixOf(p), inner);
  const angles = start ? [0] : [-0.35, 0, 0.35]; // 20 degrees
  let candidates: State[] = angles
    .flatMap((a) => angles.flatMap((b) => angles.map((c) => [a, b, c])))
    .map((rotations) => {
      const p = new Float64Array(dof);
      p.set(rotations, ROTATION);
      return { p, cost: Number.POSITIVE_INFINITY };
    });
  levels.forEach((level, l) => {
    // Coarse levels choose among starts; only the finest must arrive.
    const finest = l === levels.length - 1;
    candidates = candidates
      .map(({ p }) => descend(level, toInput, p, finest ? 1e-5 : 1e-3))
      .sort((a, b) => a.cost - b.cost)
      .slice(0, l === 0 ? 3 : 1);
  });
  return invert(toInput(candidates[0].p));
}

interface State {
  readonly p: Float64Array;
  readonly cost: number;
}

const MAX_STEPS = 25;

/** @param tolerance gain of a step, against the cost, below which the descent ends */
function descend(
  level: Level,
  toInput: (p: Float64Array) => Matrix4,
  from: Float64Array,
  tolerance: number,
): State {
  let p = Float64Array.from(from);
  let normal = normalEquations(level, toInput(p));
  let damping = 1e-3;
  for (let i = 0; i < MAX_STEPS; i++) {
    const step = solveStep(normal, derivatives(toInput, p), damping);
    const next = p.map((v, k) => v + (step?.[k] ?? 0));
    const trial = step && normalEquations(level, toInput(next));
    if (trial && trial.cost < normal.cost) {
      const gain = normal.cost - trial.cost;
      p = next;
      normal = trial;
      damping = Math.max(1e-6, damping / 10);
      if (gain < tolerance * normal.cost) break;
    } else {
      damping *= 10;
      if (damping > 1e3) break;
    }
  }
  return { p, cost: normal.cost };
}

/** Derivative of the first 12 elements of the matrix with each parameter, by central differences. */
function derivatives(toInput: (p: Float64Array) => Matrix4, p: Float64Array): Float64Array[] {
  const h = 1e-4;
  return Array.from(p, (_, k) => {
    const at = (d: number) => toInput(p.map((v, i) => (i === k ? v + d : v)));
    const [hi, lo] = [at(h), at(-h)];
    return Float64Array.from({ length: 12 }, (_, e) => (hi[e] - lo[e]) / (2 * h));
  });
}

/** Columns of the Jacobian: 12 matrix elements, the intensity scale, the intensity offset. */
const COLUMNS = 14;

interface NormalEquations {
  readonly hessian: Float64Array;
  readonly gradient: Float64Array;
  /** Mean squared residual. */
  readonly cost: number;
}

/** Solves for the parameters' step, with the intensity scale and offset free. */
function solveStep(
  { hessian, gradient }: NormalEquations,
  d: readonly Float64Array[],
  damping: number,
): Float64Array | undefined {
  const n = d.length + 2;
  // Rows of the map from (parameters, scale, offset) to the columns of the Jacobian.
  const basis = [
    ...d.map((e) => Float64Array.from([...e, 0, 0])),
    Float64Array.from({ length: COLUMNS }, (_, i) => (i === 12 ? 1 : 0)),
    Float64Array.from({ length: COLUMNS }, (_, i) => (i === 13 ? 1 : 0)),
  ];
  const a = new Float64Array(n * n);
  const b = new Float64Array(n);
  for (let r = 0; r < n; r++) {
    for (let e = 0; e < COLUMNS; e++) b[r] -= basis[r][e] * gradient[e];
    for (let c = 0; c <= r; c++) {
      let sum = 0;
      for (let e = 0; e < COLUMNS; e++)
        for (let f = 0; f < COLUMNS; f++) sum += basis[r][e] * hessian[e * COLUMNS + f] * basis[c][f];
      a[r * n + c] = sum;
    }
    a[r * n + r] *= 1 + damping;
  }
  return cholesky(a, b);
}

/** Columns of {@link moments}: 12 derivatives with the matrix's elements, the input's value, 1, the reference's value. */
const MOMENTS = 15;
const [VALUE, ONE, TARGET] = [12, 13, 14];

/**
 * Weighted sums over voxels of all products of two columns, at `matrix` (reference FSL mm to input FSL mm); lower
 * triangle. All that least squares needs, in one pass. Outside the input its value is 0.
 */
function moments(level: Level, matrix: Matrix4): Float64Array {
  const { target, weight, source, grid, toSourceVoxel: s, toReferenceMm: r } = level;
  const m = chain(s, matrix, r);
  const [nx, ny, nz] = grid.dims;
  const sums = new Float64Array(MOMENTS * MOMENTS);
  const sample = new Float64Array(4);
  const row = new Float64Array(MOMENTS);
  row[ONE] = 1;
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const w = weight[o];
        if (w === 0) continue;
        source(
          m[0] * i + m[1] * j + m[2] * k + m[3],
          m[4] * i + m[5] * j + m[6] * k + m[7],
          m[8] * i + m[9] * j + m[10] * k + m[11],
          sample,
        );
        row[VALUE] = sample[0];
        row[TARGET] = target[o];
        // Around the head nothing changes with the matrix, and most voxels lie there.
        const flat = sample[1] === 0 && sample[2] === 0 && sample[3] === 0;
        if (!flat) {
          const x = r[0] * i + r[3];
          const y = r[5] * j + r[7];
          const z = r[10] * k + r[11];
          for (let c = 0; c < 3; c++) {
            const g = sample[c + 1] * s[5 * c];
            row[4 * c] = g * x;
            row[4 * c + 1] = g * y;
            row[4 * c + 2] = g * z;
            row[4 * c + 3] = g;
          }
        }
        for (let e = flat ? VALUE : 0; e < MOMENTS; e++) {
          const we = w * row[e];
          const first = e * MOMENTS;
          for (let f = flat ? VALUE : 0; f <= e; f++) sums[first + f] += we * row[f];
        }
      }
  return sums;
}

/** Normal equations of the least squares between the input, scaled and offset at best, and the reference. */
function normalEquations(level: Level, matrix: Matrix4): NormalEquations {
  const sums = moments(level, matrix);
  const sum = (e: number, f: number) => sums[Math.max(e, f) * MOMENTS + Math.min(e, f)];
  const total = sum(ONE, ONE);
  const [value, target] = [sum(VALUE, ONE) / total, sum(TARGET, ONE) / total];
  const variance = sum(VALUE, VALUE) - total * value * value;
  const scale = Math.max(1e-12, (sum(VALUE, TARGET) - total * value * target) / Math.max(variance, 1e-30));
  const offset = target - scale * value;
  const times = (e: number) => (e < VALUE ? scale : 1);
  // Product of a column with the residual.
  const residual = (e: number) => scale * sum(e, VALUE) + offset * sum(e, ONE) - sum(e, TARGET);
  return {
    hessian: Float64Array.from({ length: COLUMNS * COLUMNS }, (_, i) => {
      const [e, f] = [Math.floor(i / COLUMNS), i % COLUMNS];
      return times(e) * times(f) * sum(e, f);
    }),
    gradient: Float64Array.from({ length: COLUMNS }, (_, e) => times(e) * residual(e)),
    cost: (scale * residual(VALUE) + offset * residual(ONE) - residual(TARGET)) / total,
  };
}
