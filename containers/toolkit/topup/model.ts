/**
 * The least-squares problem of one level of topup: the mean square of each undistorted volume minus their mean, as a
 * function of the field's coefficients and of every volume's movement, with its Gauss-Newton normal equations.
 * (Andersson, Skare & Ashburner 2003, NeuroImage 20:870.)
 *
 * Undistorted volume i at x: g_i = (1 + s_i db/dy) f_i(M_i x + s_i b y), with b the field in Hz, s_i voxels per Hz, y the
 * phase-encode axis, M_i the movement, f_i the acquired volume. Hence dg_i/db = s_i f_i' (1 + s_i db/dy) and
 * dg_i/d(db/dy) = s_i f_i: both enter through images, so the Hessian is never formed, only applied.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Grid } from '../../../imaging/image.ts';
import type { Acquisition } from '../files.ts';
import { type Bases, curvature } from './curvature.ts';
import { phaseAxis, voxelsPerHz } from './distortion.ts';
import { movementMatrix } from './field.ts';
import { type Carried, levelLines, levelVolume, type Sampled, sampleLevel, sampleLines } from './sample.ts';
import type { Level } from './schedule.ts';
import { type AxisBasis, axisBasis, evaluateSpline, gridBases, projectSpline } from './spline.ts';

/** One parameter of one volume's movement. */
export interface MovementParameter {
  readonly volume: number;
  /** 0-2 translation, 3-5 rotation. */
  readonly index: number;
}

/** Normal equations at the last evaluated state; of half the mean square, so that the gradient has no factor 2. */
export interface Normal {
  readonly gradient: Float64Array;
  readonly diagonal: Float64Array;
  /** Hessian of the coefficients times a vector. */
  apply(v: Float64Array): Float64Array;
  readonly movementGradient: Float64Array;
  /** Row per movement parameter: mixed derivatives with the coefficients. */
  readonly mixed: readonly Float32Array[];
  /** Square, row-major. */
  readonly movementHessian: Float64Array;
}

export interface Model {
  /** Mean square over volumes and voxels inside all of them; Infinity where they hardly overlap. */
  evaluate(coefficients: Float64Array, movement: readonly Float64Array[]): number;
  normal(): Normal;
}

/** Derivative of a movement's matrix with respect to one parameter. */
function movementDerivative(movement: Float64Array, index: number, grid: Grid): Matrix4 {
  const h = 1e-4;
  const [ahead, behind] = [movement.slice(), movement.slice()];
  ahead[index] += h;
  behind[index] -= h;
  const b = movementMatrix(behind, grid);
  return movementMatrix(ahead, grid).map((v, i) => (v - b[i]) / (2 * h));
}

/**
 * @param volumes all of `grid`'s size, scaled alike; where nothing is `moving`, already carried to the reference's place
 * @param spacing knots every how many voxels
 * @param moving which parameters of movement are estimated
 */
export function createModel(
  volumes: readonly Carried[],
  grid: Grid,
  acquisitions: readonly Acquisition[],
  level: Level,
  spacing: readonly [number, number, number],
  moving: readonly MovementParameter[],
): Model {
  const step = level.subsamp;
  const n = volumes.length;
  const axes = acquisitions.map(phaseAxis);
  const images = volumes.map((v, i) =>
    moving.length > 0
      ? levelVolume(v.volume, grid.dims, grid.voxelSizes, level.fwhm, step)
      : levelLines(v.volume, grid.dims, grid.voxelSizes, level.fwhm, step, axes[i]),
  );
  const { dims } = images[0];
  const size = dims[0] * dims[1] * dims[2];
  const perHz = acquisitions.map(voxelsPerHz);
  // What the field does through its value (part 0) and its derivative along each phase-encode axis in use.
  const usedAxes = ([0, 1] as const).filter((a) => axes.includes(a));
  const partOf = axes.map((a) => 1 + usedAxes.indexOf(a));
  const plain = gridBases(grid.dims, spacing, [0, 0, 0], step);
  const bases: Bases[] = [
    plain,
    ...usedAxes.map((a): Bases => {
      const slope = axisBasis(grid.dims[a], spacing[a], 1, step);
      return a === 0 ? [slope, plain[1], plain[2]] : [plain[0], slope, plain[2]];
    }),
  ];
  const parts = bases.length;

  const image = () => new Float32Array(size);
  const samples: Sampled[] = volumes.map((_, i) => ({
    value: image(),
    gradient: [0, 1, 2].map((a) => (moving.length > 0 || a === axes[i] ? image() : undefined)),
  }));
  const modulated = volumes.map(image);
  const mean = image();
  const inside = new Uint8Array(size);
  /** Where every volume has data before shifting. */
  const seen = new Uint8Array(size).fill(1);
  for (const v of volumes) {
    let o = 0;
    for (let z = 0; z < grid.dims[2]; z += step)
      for (let y = 0; y < grid.dims[1]; y += step)
        for (let x = 0; x < grid.dims[0]; x += step)
          seen[o++] &= v.inside[x + grid.dims[0] * (y + grid.dims[1] * z)];
  }
  let count = 0;
  let movement: readonly Float64Array[] = [];

  function evaluate(coefficients: Float64Array, at: readonly Float64Array[]): number {
    movement = at;
    const c = new Float32Array(coefficients);
    const fields = bases.map((b) => evaluateSpline(c, b));
    inside.set(seen);
    mean.fill(0);
    for (let i = 0; i < n; i++) {
      const { value, gradient } = samples[i];
      const { coefficients: image } = images[i];
      if (moving.length > 0) {
        const m = movementMatrix(at[i], grid);
        sampleLevel(image, dims, step, m, fields[0], perHz[i], axes[i], samples[i], inside);
      } else sampleLines(image, dims, step, fields[0], perHz[i], axes[i], value, gradient[axes[i]]!, inside);
      const slope = fields[partOf[i]];
      for (let o = 0; o < size; o++) {
        const density = 1 + perHz[i] * slope[o];
        modulated[i][o] = density * value[o];
        mean[o] += modulated[i][o] / n;
        for (const g of gradient) if (g) g[o] *= density;
      }
    }
    let sum = 0;
    count = 0;
    for (let o = 0; o < size; o++) count += inside[o];
    for (const g of modulated) for (let o = 0; o < size; o++) if (inside[o]) sum += (g[o] - mean[o]) ** 2;
    return count > size / 10 ? sum / (count * n) : Number.POSITIVE_INFINITY;
  }

  function normal(): Normal {
    const scale = 1 / (count * n);
    const sums = bases.map(image);
    const slopes = bases.map(image);
    // Upper triangle of the parts' products: weights[k][l - k].
    const weights = bases.map((_, k) => bases.slice(k).map(image));
    for (let i = 0; i < n; i++) {
      const k = partOf[i];
      const s = perHz[i];
      const { value } = samples[i];
      const derivative = samples[i].gradient[axes[i]]!;
      const [sum0, sumK, slope0, slopeK] = [sums[0], sums[k], slopes[0], slopes[k]];
      const [w00, w0k, wkk] = [weights[0][0], weights[0][k], weights[k][0]];
      for (let o = 0; o < size; o++) {
        if (inside[o] === 0) continue;
        const a = s * derivative[o];
        const b = s * value[o];
        const residual = scale * (modulated[i][o] - mean[o]);
        sum0[o] += a;
        sumK[o] += b;
        slope0[o] += residual * a;
        slopeK[o] += residual * b;
        w00[o] += scale * a * a;
        w0k[o] += scale * a * b;
        wkk[o] += scale * b * b;
      }
    }
    for (let k = 0; k < parts; k++)
      for (let l = k; l < parts; l++) {
        const w = weights[k][l - k];
        for (let o = 0; o < size; o++) w[o] -= (scale / n) * sums[k][o] * sums[l][o];
      }

    const project = (images: readonly Float32Array[]): Float64Array => {
      const total = new Float64Array(projectSpline(images[0], bases[0]));
      for (let k = 1; k < parts; k++) {
        const part = projectSpline(images[k], bases[k]);
        for (let o = 0; o < total.length; o++) total[o] += part[o];
      }
      return total;
    };

    const columns = moving.map((p) => {
      const d = movementDerivative(movement[p.volume], p.index, grid);
      const [gx, gy, gz] = samples[p.volume].gradient as Float32Array[];
      const out = image();
      let o = 0;
      for (let z = 0; z < dims[2] * step; z += step)
        for (let y = 0; y < dims[1] * step; y += step)
          for (let x = 0; x < dims[0] * step; x += step, o++)
            if (inside[o])
              out[o] =
                gx[o] * (d[0] * x + d[1] * y + d[2] * z + d[3]) +
                gy[o] * (d[4] * x + d[5] * y + d[6] * z + d[7]) +
                gz[o] * (d[8] * x + d[9] * y + d[10] * z + d[11]);
      return out;
    });
    const movementGradient = new Float64Array(moving.length);
    const movementHessian = new Float64Array(moving.length ** 2);
    const mixed = moving.map(({ volume: i }, s) => {
      const column = columns[s];
      let slope = 0;
      for (let o = 0; o < size; o++) slope += column[o] * (modulated[i][o] - mean[o]);
      movementGradient[s] = scale * slope;
      for (let t = 0; t <= s; t++) {
        const share = scale * ((moving[t].volume === i ? 1 : 0) - 1 / n);
        let dot = 0;
        for (let o = 0; o < size; o++) dot += column[o] * columns[t][o];
        movementHessian[s * moving.length + t] = movementHessian[t * moving.length + s] = share * dot;
      }
      const derivative = samples[i].gradient[axes[i]]!;
      const own = (k: number, o: number) =>
        k === 0 ? perHz[i] * derivative[o] : k === partOf[i] ? perHz[i] * samples[i].value[o] : 0;
      const products = bases.map((_, k) => {
        const out = image();
        for (let o = 0; o < size; o++) out[o] = scale * column[o] * (own(k, o) - sums[k][o] / n);
        return out;
      });
      return new Float32Array(project(products));
    });

    const diagonal = new Float64Array(coefficientCount(bases[0]));
    for (let k = 0; k < parts; k++)
      for (let l = k; l < parts; l++) {
        const square = bases[k].map((b, a) => productBasis(b, bases[l][a])) as [
          AxisBasis,
          AxisBasis,
          AxisBasis,
        ];
        const part = projectSpline(weights[k][l - k], square);
        for (let o = 0; o < diagonal.length; o++) diagonal[o] += (k === l ? 1 : 2) * part[o];
      }

    return {
      gradient: project(slopes),
      diagonal,
      apply: curvature(bases, weights),
      movementGradient,
      mixed,
      movementHessian,
    };
  }
  return { evaluate, normal };
}

function coefficientCount(bases: Bases): number {
  return bases[0].knots * bases[1].knots * bases[2].knots;
}

/** Basis whose weights are products of two bases' weights: the diagonal of a projected product. */
function productBasis(a: AxisBasis, b: AxisBasis): AxisBasis {
  return { ...a, weights: a.weights.map((w, i) => w * b.weights[i]) };
}
