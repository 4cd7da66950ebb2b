/**
 * The passes over a level's voxels that registration spends its time in, as jobs on slabs of slices. A slab knows only
 * the knots whose splines reach it, so that threads add into arrays of their own; the sums are taken in the slabs' order.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { sampleLinear } from '../../../imaging/interpolate.ts';
import { defineJob, pieces, shared, type Threads } from '../threads.ts';
import { axisPositions, SplineLattice } from './lattice.ts';
import type { Level } from './level.ts';
import { sampleLinearGradient } from './linear.ts';

/** Slices of a slab: few enough for two threads to share the coarsest level. */
const SLICES = 6;

/** What all jobs know of a slab; nothing in it changes during a level. */
interface Slab {
  /** Slices first to end - 1. */
  readonly slices: readonly [number, number];
  readonly positions: readonly Float64Array[];
  readonly spacingMm: readonly [number, number, number];
  /** Knots that reach the slab: all along x and y, some along z. */
  readonly knots: Dims;
  /** The first of them along z. */
  readonly firstKnot: number;
}

/** Arrays of one linearization: the input seen through a warp. Shared between threads; a number per voxel. */
interface View {
  readonly value: Float32Array;
  /** 1 where both images have data, else 0. */
  readonly weight: Float32Array;
  /** Derivative of the value with the displacement along x, y, z (per mm). */
  readonly gradients: readonly [Float32Array, Float32Array, Float32Array];
}

/** Sums over the voxels that count of 1, value^2, value x target and target^2. */
const SUMS = 4;

interface SampleInput {
  readonly slab: Slab;
  readonly level: Level;
  /** Voxels of the level to voxels of the input by the affine. */
  readonly toVoxel: Matrix4;
  readonly knots: Dims;
  readonly coefficients: Float64Array;
  readonly view: View;
}

/** The coefficients of component `c` that reach a slab. */
function partOf(all: Float64Array, knots: Dims, slab: Slab, c: number): Float64Array {
  const plane = knots[0] * knots[1];
  const start = plane * (c * knots[2] + slab.firstKnot);
  return all.subarray(start, start + plane * slab.knots[2]);
}

const latticeOf = (slab: Slab) => new SplineLattice(slab.positions, slab.spacingMm, slab.knots);

const sampleJob = defineJob('fnirt sample', (input: SampleInput): Float64Array => {
  const { slab, level, toVoxel: m, knots, coefficients, view } = input;
  const { target, weight, source } = level;
  const s = source.toVoxel;
  const [nx, ny] = level.dims;
  const [first, end] = slab.slices;
  const voxels = nx * ny * (end - first);
  const lattice = latticeOf(slab);
  const [dx, dy, dz] = [0, 1, 2].map((c) => {
    const out = new Float32Array(voxels);
    lattice.expand(partOf(coefficients, knots, slab, c), out);
    return out;
  });
  const { value, weight: counted, gradients } = view;
  const [gx, gy, gz] = gradients;
  const sample = new Float64Array(4);
  const sums = new Float64Array(SUMS);
  let o = nx * ny * first;
  let d = 0;
  for (let k = first; k < end; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++, d++) {
        counted[o] = 0;
        if (weight[o] === 0) continue;
        const x = m[0] * i + m[1] * j + m[2] * k + m[3] + s[0] * dx[d];
        const y = m[4] * i + m[5] * j + m[6] * k + m[7] + s[5] * dy[d];
        const z = m[8] * i + m[9] * j + m[10] * k + m[11] + s[10] * dz[d];
        if (source.inside && sampleLinear(source.inside, source.dims, x, y, z) < ALL) continue;
        if (!sampleLinearGradient(source.values, source.dims, x, y, z, sample)) continue;
        const v = sample[0];
        const t = target[o];
        counted[o] = 1;
        value[o] = v;
        gx[o] = sample[1] * s[0];
        gy[o] = sample[2] * s[5];
        gz[o] = sample[3] * s[10];
        sums[0]++;
        sums[1] += v * v;
        sums[2] += v * t;
        sums[3] += t * t;
      }
  return sums;
});

/** A voxel counts where all voxels of the input it is made of have data; the rest is for roundings. */
const ALL = 0.99;

interface GradientInput {
  readonly slab: Slab;
  readonly level: Level;
  readonly view: View;
  /** Residual = value - scale x target. */
  readonly scale: number;
  /** Where the slab's sums go: right-hand side and diagonal, three components each. */
  readonly right: Float64Array;
  readonly diagonal: Float64Array;
}

const gradientJob = defineJob('fnirt gradient', (input: GradientInput): void => {
  const { slab, level, view, scale, right, diagonal } = input;
  const { value, weight, gradients } = view;
  const [first, end] = slab.slices;
  const plane = level.dims[0] * level.dims[1];
  const voxels = plane * (end - first);
  const lattice = latticeOf(slab);
  const times = new Float32Array(voxels);
  const squared = new Float32Array(voxels);
  const count = slab.knots[0] * slab.knots[1] * slab.knots[2];
  for (let c = 0; c < 3; c++) {
    const g = gradients[c];
    for (let v = 0, o = plane * first; v < voxels; v++, o++) {
      if (weight[o] === 0) {
        times[v] = squared[v] = 0;
        continue;
      }
      times[v] = g[o] * (scale * level.target[o] - value[o]);
      squared[v] = g[o] * g[o];
    }
    lattice.gather(times, right.subarray(c * count, (c + 1) * count));
    lattice.gatherSquared(squared, diagonal.subarray(c * count, (c + 1) * count));
  }
});

interface ProductInput {
  readonly slab: Slab;
  readonly level: Level;
  readonly view: View;
  readonly knots: Dims;
  readonly v: Float64Array;
  readonly product: Float64Array;
}

const productJob = defineJob('fnirt product', (input: ProductInput): void => {
  const { slab, level, view, knots, v, product } = input;
  const { weight, gradients } = view;
  const [gx, gy, gz] = gradients;
  const [first, end] = slab.slices;
  const plane = level.dims[0] * level.dims[1];
  const voxels = plane * (end - first);
  const lattice = latticeOf(slab);
  const fields = [0, 1, 2].map((c) => {
    const out = new Float32Array(voxels);
    lattice.expand(partOf(v, knots, slab, c), out);
    return out;
  });
  const [ux, uy, uz] = fields;
  for (let p = 0, o = plane * first; p < voxels; p++, o++) {
    if (weight[o] === 0) {
      ux[p] = uy[p] = uz[p] = 0;
      continue;
    }
    const t = gx[o] * ux[p] + gy[o] * uy[p] + gz[o] * uz[p];
    ux[p] = gx[o] * t;
    uy[p] = gy[o] * t;
    uz[p] = gz[o] * t;
  }
  const count = slab.knots[0] * slab.knots[1] * slab.knots[2];
  for (let c = 0; c < 3; c++) lattice.gather(fields[c], product.subarray(c * count, (c + 1) * count));
});

/** Sums of {@link LevelPasses.sample}. */
export interface Sums {
  readonly count: number;
  readonly valueValue: number;
  readonly valueTarget: number;
  readonly targetTarget: number;
}

/** The passes over one level's voxels with one lattice of knots. */
export class LevelPasses {
  readonly knots: Dims;
  readonly #level: Level;
  readonly #threads: Threads;
  readonly #toVoxel: Matrix4;
  readonly #slabs: readonly Slab[];
  readonly #first: readonly Float64Array[];
  readonly #second: readonly Float64Array[];

  /** @param toVoxel voxels of the level to voxels of the input by the affine */
  constructor(
    threads: Threads,
    level: Level,
    toVoxel: Matrix4,
    spacingMm: readonly [number, number, number],
    knots: Dims,
  ) {
    this.knots = knots;
    this.#level = level;
    this.#threads = threads;
    this.#toVoxel = toVoxel;
    const [x, y, z] = axisPositions(level.dims, level.toReferenceMm);
    const knotOf = (mm: number) =>
      Math.min(knots[2] - 4, Math.floor(Math.max(0, Math.min(knots[2] - 3, mm / spacingMm[2]))));
    this.#slabs = pieces(level.dims[2], SLICES).map((slices) => {
      const own = z.subarray(...slices);
      const ends = [knotOf(own[0]), knotOf(own[own.length - 1])];
      const firstKnot = Math.min(...ends);
      return {
        slices,
        positions: [x, y, own.map((mm) => mm - firstKnot * spacingMm[2])],
        spacingMm,
        knots: [knots[0], knots[1], Math.max(...ends) + 4 - firstKnot],
        firstKnot,
      };
    });
    const sums = () =>
      this.#slabs.map((slab) => shared(new Float64Array(3 * slab.knots[0] * slab.knots[1] * slab.knots[2])));
    this.#first = sums();
    this.#second = sums();
  }

  /** An empty view of the input. */
  view(): View {
    const make = () => shared(new Float32Array(this.#level.target.length));
    return { value: make(), weight: make(), gradients: [make(), make(), make()] };
  }

  /** Looks at the input through the warp of `coefficients` (shared). */
  async sample(coefficients: Float64Array, view: View): Promise<Sums> {
    const level = this.#level;
    const [knots, toVoxel] = [this.knots, this.#toVoxel];
    const parts = await this.#threads.map(
      sampleJob,
      this.#slabs.map((slab) => ({ slab, level, toVoxel, knots, coefficients, view })),
    );
    const total = new Float64Array(SUMS);
    for (const part of parts) for (let i = 0; i < SUMS; i++) total[i] += part[i];
    const [count, valueValue, valueTarget, targetTarget] = total;
    return { count, valueValue, valueTarget, targetTarget };
  }

  /** Adds `factor` times the negative gradient of half the squared residual, and the diagonal of its Hessian. */
  async gradient(
    view: View,
    scale: number,
    factor: number,
    right: Float64Array,
    diagonal: Float64Array,
  ): Promise<void> {
    const level = this.#level;
    await this.#threads.map(
      gradientJob,
      this.#slabs.map((slab, s) => ({
        slab,
        level,
        view,
        scale,
        right: this.#first[s],
        diagonal: this.#second[s],
      })),
    );
    this.#addParts(this.#first, factor, right);
    this.#addParts(this.#second, factor, diagonal);
  }

  /** Adds `factor` times the product of Gauss-Newton's Hessian of half the squared residual with `v` (shared). */
  async product(view: View, factor: number, v: Float64Array, out: Float64Array): Promise<void> {
    const level = this.#level;
    const knots = this.knots;
    await this.#threads.map(
      productJob,
      this.#slabs.map((slab, s) => ({ slab, level, view, knots, v, product: this.#first[s] })),
    );
    this.#addParts(this.#first, factor, out);
  }

  #addParts(parts: readonly Float64Array[], factor: number, out: Float64Array): void {
    for (const [s, slab] of this.#slabs.entries()) {
      const count = slab.knots[0] * slab.knots[1] * slab.knots[2];
      for (let c = 0; c < 3; c++) {
        const to = partOf(out, this.knots, slab, c);
        const from = parts[s].subarray(c * count, (c + 1) * count);
        for (let i = 0; i < count; i++) to[i] += factor * from[i];
      }
    }
  }
}
