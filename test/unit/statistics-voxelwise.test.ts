/** TFCE against its definition in Python (resampling.py); voxel-wise tests against planted truth. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freedmanLane } from '../../statistics/permutation.ts';
import { randomStream } from '../../statistics/random.ts';
import { linearRegression } from '../../statistics/regression.ts';
import { type Lattice, lattice, tfce } from '../../statistics/tfce.ts';
import { correctedP, permutedMaxima, voxelwiseMaps, voxelwiseModel } from '../../statistics/voxelwise.ts';

const fixture: {
  dims: [number, number, number];
  mask: number[];
  map: number[];
  integral: number[];
  steps: { dh: number; values: number[] };
} = JSON.parse(readFileSync(new URL('../fixtures/statistics/tfce.json', import.meta.url), 'utf8'));

describe('TFCE', () => {
  const grid = lattice(fixture.dims, fixture.mask);
  const inMask = (values: readonly number[]) => Float32Array.from(grid.voxels, (v) => values[v]);
  /** Results are single precision: 1e-6 of the value. */
  const agree = (ours: Float32Array, theirs: readonly number[]) => {
    for (const [v, value] of inMask(theirs).entries())
      expect(Math.abs(ours[v] - value), `voxel ${grid.voxels[v]}`).toBeLessThanOrEqual(
        1e-6 * Math.abs(value),
      );
  };

  test('is the integral', () => {
    expect(fixture.integral.some((v) => v < 0) && fixture.integral.some((v) => v > 0)).toBe(true);
    agree(tfce(inMask(fixture.map), grid), fixture.integral);
  });

  test('or the sum of steps, as programs compute it', () => {
    const { dh, values } = fixture.steps;
    agree(tfce(inMask(fixture.map), grid, dh), values);
  });

  test('by hand: a plateau of 4 beside a peak, apart from a single voxel', () => {
    const row = lattice([7, 1, 1], [1, 1, 1, 1, 1, 1, 1]);
    const enhanced = tfce(Float32Array.from([1, 1, 3, 1, 0, -2, 0]), row);
    const plateau = Math.sqrt(4) / 3;
    const expected = [plateau, plateau, plateau + (27 - 1) / 3, plateau, 0, -8 / 3, 0];
    for (const [v, value] of expected.entries()) expect(enhanced[v]).toBeCloseTo(value, 5);
  });

  test('rises with the map, changes sign with it, knows no left and right, and sees the mask', () => {
    const dims = [4, 3, 3] as const;
    const cube = lattice(dims, new Uint8Array(36).fill(1));
    const map = fc
      .array(fc.integer({ min: -8, max: 8 }), { minLength: 36, maxLength: 36 })
      .map((values) => Float32Array.from(values, (v) => v / 4));
    const mirror = (m: Float32Array) => m.map((_, v) => m[3 - (v % 4) + 4 * Math.floor(v / 4)]);
    fc.assert(
      fc.property(map, fc.nat(35), (values, one) => {
        const enhanced = tfce(values, cube);
        expect(tfce(mirror(values), cube)).toEqual(mirror(enhanced));
        expect(
          tfce(
            values.map((v) => -v).map((v) => v + 0),
            cube,
          ),
        ).toEqual(enhanced.map((v) => (v === 0 ? 0 : -v)));
        const higher = tfce(
          values.map((v, i) => (i === one ? v + 1 : v)),
          cube,
        );
        for (let v = 0; v < 36; v++) expect(higher[v]).toBeGreaterThanOrEqual(enhanced[v] - 1e-5);
        // A voxel taken out of the mask is as good as 0.
        const holed = lattice(
          dims,
          Uint8Array.from({ length: 36 }, (_, v) => (v === one ? 0 : 1)),
        );
        const zeroed = tfce(
          values.map((v, i) => (i === one ? 0 : v)),
          cube,
        );
        expect([
          ...tfce(
            Float32Array.from(holed.voxels, (v) => values[v]),
            holed,
          ),
        ]).toEqual([...zeroed].filter((_, v) => v !== one));
      }),
    );
  });

  test('refuses what does not fit', () => {
    expect(() => lattice([2, 2, 2], [1])).toThrow(RangeError);
    expect(() => tfce(new Float32Array(3), grid)).toThrow(RangeError);
  });
});

const term = (name: string, values: readonly number[]) => ({ name, values });

/** Smooth noise in mm2/s: each voxel the mean of its 27 neighbours' noise. */
function smoothMap(grid: Lattice, random: { normal(): number }): Float32Array {
  const noise = Float64Array.from(grid.voxels, () => random.normal());
  const [nx, ny] = grid.dims;
  return Float32Array.from(grid.places, (place) => {
    let sum = 0;
    for (const k of [-1, 0, 1])
      for (const j of [-1, 0, 1])
        for (const i of [-1, 0, 1]) {
          const v = grid.voxelAt[place + i + (nx + 2) * (j + (ny + 2) * k)];
          if (v >= 0) sum += noise[v];
        }
    return (2e-5 * sum) / Math.sqrt(27);
  });
}

/** Maps of a trial of n; ketamine lowers MD by `effect` in a cube of 4^3 voxels. */
function trial(grid: Lattice, n: number, effect: number, ...seed: number[]) {
  const random = randomStream(...seed);
  const group = Array.from({ length: n }, (_, i) => (i < n / 3 ? 0 : 1));
  const age = group.map(() => 40 + 10 * random.normal());
  const [nx, ny] = grid.dims;
  const planted = Array.from(grid.voxels, (v) =>
    [v % nx, Math.floor(v / nx) % ny, Math.floor(v / (nx * ny))].every((c) => c >= 2 && c < 6),
  );
  const maps = group.map((g, i) =>
    smoothMap(grid, random).map((v, x) => v + (planted[x] ? g * effect : 0) + 1e-7 * age[i]),
  );
  return { maps, group: term('group', group), age: term('age', age), planted };
}

describe('voxel by voxel', () => {
  const grid = lattice([12, 11, 10], new Uint8Array(1320).fill(1));

  test('each voxel is the regression and the permutation test of that voxel', () => {
    const few = lattice([3, 3, 3], new Uint8Array(27).fill(1));
    const { maps, group, age } = trial(few, 18, 1e-5, 1);
    const { b, t } = voxelwiseMaps(voxelwiseModel(maps, group, [age], few));
    for (const v of [0, 13, 26]) {
      const outcome = term(
        'voxel',
        maps.map((map) => map[v]),
      );
      const [, slope] = linearRegression(outcome, [age, group]).slopes;
      // Single precision.
      expect(b[v] / slope.b).toBeCloseTo(1, 4);
      expect(t[v]).toBeCloseTo(slope.t, 4);
      // A volume of one voxel: nothing to correct for, so p is that of Freedman and Lane.
      const volume = Uint8Array.from(few.voxels, (_, x) => (x === v ? 1 : 0));
      const alone = voxelwiseModel(maps, group, [age], few, volume);
      const p = correctedP(alone, voxelwiseMaps(alone), [permutedMaxima(alone, 1, 0, 999)]);
      const single = freedmanLane(outcome, group, [age], { permutations: 999, seed: 2 }).p;
      const se = Math.sqrt((2 * single * (1 - single)) / 1000);
      expect(Math.abs(p.t[v] - single)).toBeLessThan(4 * se + 1 / 1000);
      expect(p.t.filter((value) => value === 1).length).toBeGreaterThanOrEqual(26);
    }
  });

  test('finds a planted cluster, and nothing far from it', () => {
    const { maps, group, age, planted } = trial(grid, 36, 4e-5, 1);
    const model = voxelwiseModel(maps, group, [age], grid);
    const observed = voxelwiseMaps(model);
    const p = correctedP(model, observed, [permutedMaxima(model, 1, 0, 199)]);
    const inside = [...p.tfce].filter((_, v) => planted[v]);
    expect(inside.filter((value) => value < 0.05).length).toBeGreaterThan(0.9 * inside.length);
    const [nx, ny] = grid.dims;
    const far = Array.from(grid.voxels, (v) => v % nx >= 9 || Math.floor(v / (nx * ny)) >= 9);
    expect([...p.tfce].every((value, v) => !far[v] || value > 0.05)).toBe(true);
    expect(observed.b[grid.voxels.findIndex((_, v) => planted[v])]).toBeGreaterThan(0);
    // TFCE sees what is wide but weak: more of the cluster than the largest t does.
    const byT = [...p.t].filter((value, v) => planted[v] && value < 0.05).length;
    expect(byT).toBeLessThan(inside.filter((value) => value < 0.05).length);
    // The same in a small volume: no p is larger than with the whole mask to correct for.
    const small = voxelwiseModel(maps, group, [age], grid, planted.map(Number));
    const within = correctedP(small, voxelwiseMaps(small), [permutedMaxima(small, 1, 0, 199)]);
    for (const [v, value] of within.tfce.entries())
      expect(value).toBeLessThanOrEqual(planted[v] ? p.tfce[v] : 1);
  });

  test('does not depend on how the permutations are shared out', () => {
    const { maps, group, age } = trial(grid, 12, 1e-5, 3);
    const model = voxelwiseModel(maps, group, [age], grid);
    const observed = voxelwiseMaps(model);
    const whole = correctedP(model, observed, [permutedMaxima(model, 4, 0, 24)]);
    const cut = [permutedMaxima(model, 4, 7, 24), permutedMaxima(model, 4, 0, 7)];
    expect(correctedP(model, observed, cut)).toEqual(whole);
    expect(permutedMaxima(model, 5, 0, 7)).not.toEqual(cut[1]);
  });

  test('without an effect, one study in twenty finds something', () => {
    const small = lattice([5, 5, 5], new Uint8Array(125).fill(1));
    const studies = 300;
    let [byT, byTfce] = [0, 0];
    for (let study = 1; study <= studies; study++) {
      const { maps, group } = trial(small, 12, 0, 4, study);
      const model = voxelwiseModel(maps, group, [], small);
      const p = correctedP(model, voxelwiseMaps(model), [permutedMaxima(model, study, 0, 39)]);
      // 2 of 40: p <= .05 is reached in exactly 5 % of studies where permutations are exchangeable.
      if (p.t.some((value) => value <= 0.05)) byT++;
      if (p.tfce.some((value) => value <= 0.05)) byTfce++;
    }
    // 3.5 Monte-Carlo standard errors of 1.26 points.
    expect(Math.abs(byT / studies - 0.05)).toBeLessThan(0.044);
    expect(Math.abs(byTfce / studies - 0.05)).toBeLessThan(0.044);
  });

  test('a voxel that does not vary has t = 0; other degenerate input is named', () => {
    const { maps, group, age } = trial(grid, 9, 0, 5);
    const still = maps.map((map) => map.map((v, x) => (x === 7 ? 3e-4 : v)));
    const model = voxelwiseModel(still, group, [], grid);
    const observed = voxelwiseMaps(model);
    expect([observed.t[7], observed.b[7], observed.tfce[7]]).toEqual([0, 0, 0]);
    expect(correctedP(model, observed, [permutedMaxima(model, 1, 0, 9)]).t[7]).toBe(1);
    const holed = maps.map((map, i) => map.map((v, x) => (i === 2 && x === 8 ? Number.NaN : v)));
    expect(() => voxelwiseModel(holed, group, [], grid)).toThrow('voxel 8');
    const flat = maps.map((map) => map.map(() => 1));
    expect(() => voxelwiseModel(flat, group, [], grid)).toThrow('no voxel varies');
    expect(() => voxelwiseModel(maps, group, [], grid, new Uint8Array(1320))).toThrow('no voxel to search');
    expect(() => voxelwiseModel(maps.slice(1), group, [age], grid)).toThrow(RangeError);
    expect(() => voxelwiseModel(maps, group, [group], grid)).toThrow('is a combination');
  });
});
