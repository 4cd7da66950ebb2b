import { describe, expect, it } from 'vitest';
import { identity, translation } from '../../imaging/affine.ts';
import { type Dims, gridFromAffine } from '../../imaging/image.ts';
import {
  resample,
  sampleLinear,
  sampleNearest,
  sampleSpline,
  splineCoefficients,
} from '../../imaging/interpolate.ts';
import { SIGMA_TO_FWHM, smooth } from '../../imaging/smooth.ts';
import { sampleSplineGradient } from '../../imaging/spline.ts';

const DIMS: Dims = [13, 10, 40];

function fill(dims: Dims, f: (i: number, j: number, k: number) => number): Float32Array {
  const out = new Float32Array(dims[0] * dims[1] * dims[2]);
  let o = 0;
  for (let k = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++) for (let i = 0; i < dims[0]; i++) out[o++] = f(i, j, k);
  return out;
}

/** Noise in 0 to 1 that is the same in every run (a linear congruential generator). */
function noise(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** Points inside the grid, off the voxel centres. */
function* points(dims: Dims, margin: number): Generator<[number, number, number]> {
  const random = noise(7);
  const at = (n: number) => margin + random() * (n - 1 - 2 * margin);
  for (let p = 0; p < 500; p++) yield [at(dims[0]), at(dims[1]), at(dims[2])];
}

describe('cubic B-spline', () => {
  // One axis of each kind: a single voxel, shorter than the prefilter's horizon of 30, longer.
  it.each<[Dims]>([[DIMS], [[1, 2, 50]], [[3, 30, 31]]])(
    'interpolates noise at voxel centres: %j',
    (dims) => {
      const random = noise();
      const data = fill(dims, () => random() * 1000);
      const c = splineCoefficients(data, dims);
      let worst = 0;
      let o = 0;
      for (let k = 0; k < dims[2]; k++)
        for (let j = 0; j < dims[1]; j++)
          for (let i = 0; i < dims[0]; i++)
            worst = Math.max(worst, Math.abs(sampleSpline(c, dims, i, j, k) - data[o++]));
      // Coefficients are float32 of up to some thousands: 1e-7 of that, summed over 64.
      expect(worst).toBeLessThan(2e-3);
    },
  );

  it('reproduces a smooth function between voxels', () => {
    // Waves that the mirror at the edges continues, so that the error is the same everywhere.
    const [a, b, c] = [2, 1, 4].map((half, axis) => (half * Math.PI) / (DIMS[axis] - 1));
    const f = (i: number, j: number, k: number) => Math.cos(a * i) + Math.cos(b * j) * Math.cos(c * k);
    const coefficients = splineCoefficients(fill(DIMS, f), DIMS);
    let worst = 0;
    for (const [x, y, z] of points(DIMS, 0))
      worst = Math.max(worst, Math.abs(sampleSpline(coefficients, DIMS, x, y, z) - f(x, y, z)));
    // Fourth order: the fourth derivative / 384, with steps of 0.52, 0.35 and 0.32 rad: 2e-4 + 0.4e-4 + 0.3e-4.
    expect(worst).toBeLessThan(2.8e-4);
    expect(worst).toBeGreaterThan(5e-5);
  });

  it('is the sum over mirrored coefficients that it should be, with the gradient, up to the edges', () => {
    const random = noise(11);
    const c = fill(DIMS, () => random());
    /** The cubic B-spline itself. */
    const b = (t: number) => {
      const a = Math.abs(t);
      return a < 1 ? 2 / 3 - a * a + (a * a * a) / 2 : a < 2 ? (2 - a) ** 3 / 6 : 0;
    };
    const fold = (i: number, n: number) => (i < 0 ? -i : i > n - 1 ? 2 * n - 2 - i : i);
    const sum = (x: number, y: number, z: number) => {
      let total = 0;
      for (let k = Math.floor(z) - 1; k < z + 2; k++)
        for (let j = Math.floor(y) - 1; j < y + 2; j++)
          for (let i = Math.floor(x) - 1; i < x + 2; i++)
            total +=
              b(x - i) *
              b(y - j) *
              b(z - k) *
              c[fold(i, DIMS[0]) + DIMS[0] * (fold(j, DIMS[1]) + DIMS[1] * fold(k, DIMS[2]))];
      return total;
    };
    const h = 1e-4;
    const out = new Float64Array(4);
    for (const [x, y, z] of points(DIMS, -0.4)) {
      expect(sampleSpline(c, DIMS, x, y, z)).toBeCloseTo(sum(x, y, z), 12);
      expect(sampleSplineGradient(c, DIMS, x, y, z, out)).toBe(true);
      expect(out[0]).toBeCloseTo(sum(x, y, z), 12);
      // Central differences: the third derivative, up to a few, times h^2 / 6.
      expect(out[1]).toBeCloseTo((sum(x + h, y, z) - sum(x - h, y, z)) / (2 * h), 6);
      expect(out[2]).toBeCloseTo((sum(x, y + h, z) - sum(x, y - h, z)) / (2 * h), 6);
      expect(out[3]).toBeCloseTo((sum(x, y, z + h) - sum(x, y, z - h)) / (2 * h), 6);
    }
    expect(sampleSplineGradient(c, DIMS, -0.6, 1, 1, out)).toBe(false);
  });

  it('keeps constants up to half a voxel beyond the edge, and is `outside` further out', () => {
    const c = splineCoefficients(
      fill(DIMS, () => 5),
      DIMS,
    );
    expect(sampleSpline(c, DIMS, -0.49, 9.49, 39.49)).toBeCloseTo(5, 5);
    expect(sampleSpline(c, DIMS, -0.51, 5, 5, -1)).toBe(-1);
    expect(sampleSpline(c, DIMS, 5, 9.51, 5, -1)).toBe(-1);
    expect(sampleSpline(c, DIMS, Number.NaN, 5, 5, -1)).toBe(-1);
  });
});

describe('trilinear', () => {
  const f = (i: number, j: number, k: number) => 3 + 2 * i - 5 * j + 0.5 * k;
  const data = fill(DIMS, f);

  it('reproduces linear functions', () => {
    for (const [x, y, z] of points(DIMS, 0))
      expect(sampleLinear(data, DIMS, x, y, z)).toBeCloseTo(f(x, y, z), 9);
  });

  it('holds the edge value for half a voxel, then is `outside`', () => {
    expect(sampleLinear(data, DIMS, -0.4, 3, 4)).toBe(f(0, 3, 4));
    expect(sampleLinear(data, DIMS, 12.4, 3, 4)).toBe(f(12, 3, 4));
    expect(sampleLinear(data, DIMS, 12.6, 3, 4, -7)).toBe(-7);
    expect(sampleLinear(data, DIMS, Number.NaN, 3, 4, -7)).toBe(-7);
  });

  it('works on a single slice', () => {
    expect(sampleLinear(data.subarray(0, 130), [13, 10, 1], 2.5, 3.5, 0)).toBeCloseTo(f(2.5, 3.5, 0), 9);
  });
});

describe('nearest', () => {
  it('takes the closest voxel', () => {
    const data = fill(DIMS, (i, j, k) => i + 100 * j + 10000 * k);
    expect(sampleNearest(data, DIMS, 2.4, 3.6, 39.4)).toBe(2 + 400 + 390000);
    expect(sampleNearest(data, DIMS, -0.6, 3, 3, -1)).toBe(-1);
    expect(sampleNearest(data, DIMS, 3, 3, 39.6, -1)).toBe(-1);
  });
});

describe('resample', () => {
  const random = noise(3);
  const data = fill(DIMS, () => random());
  const grid = gridFromAffine(DIMS, identity());

  it.each(['nearest', 'linear', 'spline'] as const)('%s: the identity changes nothing', (interpolation) => {
    const out = resample(data, DIMS, grid, identity(), interpolation);
    expect(Math.max(...out.map((x, i) => Math.abs(x - data[i])))).toBeLessThan(2e-6);
  });

  it('takes a matrix from target to source voxels', () => {
    const out = resample(data, DIMS, grid, translation(1, 2, 3), 'linear');
    expect(out[0]).toBe(data[1 + 13 * (2 + 10 * 3)]);
    expect(out[out.length - 1]).toBe(0);
  });
});

describe('smoothing', () => {
  it('keeps a constant, up to the edges', () => {
    const out = smooth(
      fill(DIMS, () => 7),
      DIMS,
      [2, 3, 4],
    );
    expect(Math.max(...out.map((x) => Math.abs(x - 7)))).toBeLessThan(5e-6);
  });

  it('keeps the sum and the shape of a point', () => {
    const dims: Dims = [41, 41, 41];
    const out = smooth(
      fill(dims, (i, j, k) => (i === 20 && j === 20 && k === 20 ? 1000 : 0)),
      dims,
      [2, 2.5, 3],
    );
    let [sum, x2, z2] = [0, 0, 0];
    for (let k = 0, o = 0; k < 41; k++)
      for (let j = 0; j < 41; j++)
        for (let i = 0; i < 41; i++, o++) {
          sum += out[o];
          x2 += out[o] * (i - 20) ** 2;
          z2 += out[o] * (k - 20) ** 2;
        }
    expect(sum).toBeCloseTo(1000, 2);
    // The kernel is cut at 4 sigma, which takes 0.1 % off the variance.
    expect(Math.sqrt(x2 / sum)).toBeCloseTo(2, 2);
    expect(Math.sqrt(z2 / sum)).toBeCloseTo(3, 2);
    expect(SIGMA_TO_FWHM).toBeCloseTo(2.3548, 4);
  });

  it('leaves an axis of sigma 0 alone, and its input', () => {
    const random = noise(5);
    const data = fill(DIMS, () => random());
    const copy = new Float32Array(data);
    expect(smooth(data, DIMS, [0, 0, 0])).toEqual(copy);
    smooth(data, DIMS, [1, 1, 1]);
    expect(data).toEqual(copy);
  });
});
