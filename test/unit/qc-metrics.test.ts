/** Each metric of quality control against what is true. */
import { describe, expect, it } from 'vitest';
import { eddyQuad } from '../../activities/qc/eddy-quad.ts';
import { protocolDifferences } from '../../activities/qc/pair.ts';
import { schemesOf } from '../../activities/qc/read.ts';
import type { MeasuredSession } from '../../activities/qc/session.ts';
import { gridFromAffine, type Image, voxelCount } from '../../imaging/image.ts';
import { randomStream } from '../../imaging/phantom/random.ts';
import { gradientScheme } from '../../imaging/phantom/scanner.ts';
import { signalDrift } from '../../imaging/qc/drift.ts';
import { ghostRatio } from '../../imaging/qc/ghost.ts';
import { axisWords, checkGradients } from '../../imaging/qc/gradient-check.ts';
import { agreement, retest } from '../../imaging/qc/longitudinal.ts';
import {
  bvecRotations,
  framewiseDisplacement,
  movementMetrics,
  parameterMetrics,
} from '../../imaging/qc/motion.ts';
import { nearestNeighbours, neighbourCorrelations } from '../../imaging/qc/neighbours.ts';
import { correlation, medianOf, robustDeviation, voxelsOf } from '../../imaging/qc/numbers.ts';
import { outlierMetrics, parseOutlierReport, perVolume } from '../../imaging/qc/outliers.ts';
import {
  coverage,
  dice,
  jacobianMetrics,
  leastCoverage,
  opposedMetrics,
} from '../../imaging/qc/registration.ts';
import { shellsOf } from '../../imaging/qc/shells.ts';
import { badSlices } from '../../imaging/qc/slices.ts';
import { b0Snr, tensorNoise } from '../../imaging/qc/tensor-noise.ts';
import { brainMetrics, tissueMetrics } from '../../imaging/qc/tissue.ts';
import { infoOf, LONGITUDINAL_METRICS, SESSION_METRICS } from '../../pipeline/qc/dictionary.ts';
import { crossings, DEFAULT_THRESHOLDS, isBeyond } from '../../pipeline/qc/thresholds.ts';

const grid = (nx: number, ny: number, nz: number, x = -2) =>
  gridFromAffine([nx, ny, nz], Float64Array.of(x, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1));

/** A series whose voxel o of volume t is `value(o, t)`. */
function series(
  of: ReturnType<typeof grid>,
  volumes: number,
  value: (o: number, t: number) => number,
): Image {
  const n = voxelCount(of);
  return {
    grid: of,
    volumes,
    data: Float32Array.from({ length: n * volumes }, (_, i) => value(i % n, Math.floor(i / n))),
  };
}

const all = (n: number) => Int32Array.from({ length: n }, (_, o) => o);

describe('motion', () => {
  const rows = [
    [0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0.1, -0.2, 0.3, 0.01, 0, 0, 1, 0, 2],
    [0.1, -0.2, 0.3, 0.01, -0.02, 0, 2, 0, 0],
  ];

  it('framewise displacement is Power’s: millimetres, and rotations at 50 mm', () => {
    expect(framewiseDisplacement(rows)[0]).toBeNull();
    expect(framewiseDisplacement(rows)[1]).toBeCloseTo(0.6 + 0.5, 12);
    expect(framewiseDisplacement(rows)[2]).toBeCloseTo(1, 12);
  });

  it('extremes and the spread of eddy currents', () => {
    const found = parameterMetrics(rows);
    expect(found).toMatchObject({ max_translation: 0.3, max_rotation: 0.02, max_rel_rotation: 0.02 });
    expect(found['mean_fd']).toBeCloseTo(1.05, 12);
    expect(found['eddy_current_std_x']).toBeCloseTo(1, 12);
    expect(found['eddy_current_std_y']).toBe(0);
  });

  it('movement: the first volume has none before it', () => {
    expect(
      movementMetrics([
        [0, 0],
        [2, 2],
        [1, 3],
      ]),
    ).toEqual({
      qc_mot_abs: 1,
      qc_mot_rel: 2.5,
      mot_abs_max: 2,
      mot_rel_max: 3,
    });
  });

  it('rotation of bvecs in degrees, small ones too, and g as -g', () => {
    const a = 0.001;
    const raw = Float64Array.of(1, 0, 0, 1, 0, 0);
    const rotated = Float64Array.of(Math.cos(a), Math.sin(a), 0, -Math.cos(0.1), -Math.sin(0.1), 0);
    const [small, large] = bvecRotations(raw, rotated, [0, 1]);
    expect(small).toBeCloseTo((a * 180) / Math.PI, 9);
    expect(large).toBeCloseTo(18 / Math.PI, 9);
  });
});

describe('outliers', () => {
  it('reads FSL’s report and counts in percent, per shell and scheme', () => {
    const report =
      'Slice 4 in scan 1 is an outlier with mean -6.1 standard deviations off, and mean squared 2 standard deviations off.\n' +
      'Slice 7 in scan 1 is an outlier with mean -4.0 standard deviations off, and mean squared 1 standard deviations off.\n' +
      'Slice 0 in scan 3 is an outlier with mean -9.9 standard deviations off, and mean squared 7 standard deviations off.\n';
    const places = parseOutlierReport(report);
    expect(places).toEqual([
      { volume: 1, slice: 4 },
      { volume: 1, slice: 7 },
      { volume: 3, slice: 0 },
    ]);
    expect(outlierMetrics(perVolume(places, 4), 10, [0, 1000, 0, 1000], [1, 1, 2, 2])).toEqual({
      qc_outliers_tot: 7.5,
      max_outlier_slices: 20,
      qc_outliers_b1000: 15,
      qc_outliers_pe1: 10,
      qc_outliers_pe2: 5,
    });
    expect(parseOutlierReport('')).toEqual([]);
  });
});

describe('shells and neighbours', () => {
  it('scattered b values are one shell', () => {
    expect(shellsOf([0, 995, 1005, 5, 2000, 1990])).toEqual([0, 1000, 1000, 0, 2000, 2000]);
  });

  it('the nearest in q space: opposite directions are one, other phase encodings do not count', () => {
    const bvecs = [0, 0, 0, 1, 0, 0, -0.99, 0.14, 0, 0, 1, 0, 1, 0, 0];
    expect(nearestNeighbours([0, 1000, 1000, 1000, 1000], bvecs, [1, 2, 3, 4], [1, 1, 1, 1, 2])).toEqual([
      undefined,
      2,
      1,
      2,
      undefined,
    ]);
  });

  it('correlation falls with noise as it must: r = S / (S + N) for equal noise in both', () => {
    const random = randomStream('neighbours');
    const n = 20_000;
    const signal = Float64Array.from({ length: n }, () => 100 * random.normal());
    const image = series(grid(100, 100, 2), 2, (o) => 1000 + signal[o] + 50 * random.normal());
    // r = 1e4 / (1e4 + 2.5e3) = 0.8; its standard error is (1 - r2) / sqrt(n) = 0.003.
    const [r, same] = neighbourCorrelations(image, [1, 0], all(n));
    expect(Math.abs(r! - 0.8)).toBeLessThan(0.012);
    expect(same).toBe(r);
    expect(correlation([1, 1, 1], [1, 2, 3])).toBeNull();
  });
});

describe('slices', () => {
  const of = grid(24, 24, 20);
  const n = voxelCount(of);
  const isBrain = (o: number) => Math.hypot((o % 24) - 11.5, (Math.floor(o / 24) % 24) - 11.5) < 8;
  const brain = all(n).filter(isBrain);
  const scan = () => {
    const random = randomStream('slices');
    return series(of, 12, (o, t) =>
      Math.abs((isBrain(o) ? 400 + 5 * t + 4 * Math.floor(o / 576) : 0) + 20 * random.normal()),
    );
  };
  const kinds = new Array(12).fill(1000);
  const slice = (image: Image, t: number, k: number) =>
    image.data.subarray(t * n + k * 576, t * n + (k + 1) * 576);

  it('finds exactly the slices that lost a fifth of their signal, and none in a good scan', () => {
    expect(badSlices(scan(), brain, kinds)).toMatchObject({ dropped: [], spiked: [] });
    const image = scan();
    for (const [t, k] of [
      [3, 5],
      [3, 7],
      [9, 12],
    ])
      for (const [i, value] of slice(image, t, k).entries()) slice(image, t, k)[i] = 0.8 * value;
    const { dropped, spiked, deviation } = badSlices(image, brain, kinds);
    expect(dropped).toEqual([
      { volume: 3, slice: 5 },
      { volume: 3, slice: 7 },
      { volume: 9, slice: 12 },
    ]);
    expect(spiked).toEqual([]);
    expect(Math.abs(deviation[9][12]! - Math.log(0.8))).toBeLessThan(0.02);
  });

  it('finds a spike by the air it lights, and a flash by the brain', () => {
    const image = scan();
    const striped = slice(image, 4, 10);
    for (let i = 0; i < 576; i++) striped[i] = Math.hypot(striped[i] + 40 * Math.cos(i), 40 * Math.sin(i));
    const flash = slice(image, 6, 8);
    for (let i = 0; i < 576; i++) if (isBrain(i)) flash[i] *= 1.3;
    const { spiked, dropped } = badSlices(image, brain, kinds);
    expect(spiked).toHaveLength(2);
    expect(spiked).toContainEqual({ volume: 4, slice: 10 });
    expect(spiked).toContainEqual({ volume: 6, slice: 8 });
    expect(dropped).toEqual([]);
  });

  it('air that the scanner has blanked raises no alarm', () => {
    const image = scan();
    for (let i = 0; i < image.data.length; i++) if (!isBrain(i % n)) image.data[i] = i % 97 === 0 ? 1 : 0;
    expect(badSlices(image, brain, kinds).spiked).toEqual([]);
  });

  it('a head that moved along the slices has no bad ones', () => {
    const random = randomStream('slices moved');
    const isHead = (o: number, t: number) => isBrain(o) && Math.floor(o / 576) >= (t === 7 ? 5 : 3);
    const image = series(of, 12, (o, t) => Math.abs((isHead(o, t) ? 400 : 0) + 20 * random.normal()));
    const mask = brain.filter((o) => isHead(o, 0));
    expect(badSlices(image, mask, kinds).dropped).toEqual([]);
  });
});

describe('noise', () => {
  const { bvals, gradients } = gradientScheme(30, 6, 1000);
  const of = grid(20, 20, 5);
  const n = voxelCount(of);
  const random = randomStream('noise');
  const sigma = 20;
  const image = series(of, bvals.length, (_, t) => {
    const [x, y, z] = gradients.subarray(3 * t, 3 * t + 3);
    return 500 * Math.exp(-bvals[t] * (1.5e-3 * x * x + 0.4e-3 * (y * y + z * z))) + sigma * random.normal();
  });
  const b0s = [...bvals.keys()].filter((t) => bvals[t] === 0);

  it('SNR of the b0s: 25, over time and from the difference of two', () => {
    // Of six values the standard deviation is low by 5 % (c4) and its reciprocal's median by about as much high: 8 %.
    expect(Math.abs(b0Snr(image, b0s, all(n))!.median! / 25 - 1)).toBeLessThan(0.12);
    // 2000 voxels tell a robust standard deviation to 2.6 % (1 SE).
    expect(Math.abs(b0Snr(image, b0s.slice(0, 2), all(n))!.median! / 25 - 1)).toBeLessThan(0.08);
    expect(b0Snr(image, [0], all(n))).toBeUndefined();
  });

  it('residual of the tensor fit in percent of S0, and CNR of the shell', () => {
    const found = tensorNoise(image, bvals, gradients, shellsOf(bvals), all(n))!;
    // sigma / S0 = 4 %. The unweighted fit of logs is not the best of signals: a few per cent more.
    expect(found.residualPercent! / 4).toBeGreaterThan(0.93);
    expect(found.residualPercent! / 4).toBeLessThan(1.1);
    const weighted = [...bvals.keys()].filter((t) => bvals[t] > 0);
    const signal = weighted.map((t) => {
      const [x, y, z] = gradients.subarray(3 * t, 3 * t + 3);
      return 500 * Math.exp(-1000 * (1.5e-3 * x * x + 0.4e-3 * (y * y + z * z)));
    });
    const mean = signal.reduce((a, b) => a + b, 0) / signal.length;
    const truth = Math.sqrt(signal.reduce((sum, s) => sum + (s - mean) ** 2, 0) / signal.length) / sigma;
    expect(Math.abs(found.cnr.get(1000)!.median! / truth - 1)).toBeLessThan(0.1);
  });

  it('says nothing where directions do not determine a tensor', () => {
    const same = Float64Array.from(gradients, (_, i) => (i % 3 === 0 ? 1 : 0));
    expect(tensorNoise(image, bvals, same, shellsOf(bvals), all(n))).toBeUndefined();
  });
});

describe('drift and ghost', () => {
  it('drift by the b0s, from first to last volume', () => {
    const image = series(grid(10, 10, 4), 21, (_, t) => 500 * (1 - (0.06 * t) / 20));
    expect(signalDrift(image, [...Array(21).keys()], [0, 10, 20], all(400))).toBeCloseTo(-6, 4);
    expect(signalDrift(image, [...Array(21).keys()], [0, 1, 2], all(400))).toBeNull();
    expect(signalDrift(image, [...Array(21).keys()], [0], all(400))).toBeNull();
  });

  it('a ghost of 4 % over the noise of the air', () => {
    const of = grid(48, 48, 16);
    const inBrain = (i: number, j: number) => Math.hypot(i - 23.5, j - 23.5) < 9;
    const value = (o: number) => {
      const [i, j] = [o % 48, Math.floor(o / 48) % 48];
      return (inBrain(i, j) ? 500 : 5) + (inBrain(i, (j + 24) % 48) ? 20 : 0);
    };
    const volume = Float32Array.from({ length: voxelCount(of) }, (_, o) => value(o));
    const mask = volume.map((_, o) => (inBrain(o % 48, Math.floor(o / 48) % 48) ? 1 : 0));
    expect(ghostRatio(volume, mask, of, 1)).toBeCloseTo(4, 3);
    expect(Math.abs(ghostRatio(volume, mask, of, 0)!)).toBeLessThan(2.5);
  });
});

describe('gradient check', () => {
  /** Thin rings of fibres about each of the three axes: every axis and sign matters. */
  const rings = (x: number) => {
    const of = grid(32, 32, 32, x);
    const n = voxelCount(of);
    const fa = new Float32Array(n);
    const v1 = new Float32Array(3 * n);
    for (let o = 0; o < n; o++) {
      const at = [(o % 32) - 15.5, (Math.floor(o / 32) % 32) - 15.5, Math.floor(o / 1024) - 15.5];
      for (const axis of [0, 1, 2]) {
        const [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        const radius = Math.hypot(at[a], at[b]);
        // Each ring lies in a plane of its own.
        if (Math.abs(radius - 11) > 1.5 || Math.abs(at[axis] - 4 * (axis - 1)) > 1) continue;
        fa[o] = 0.7;
        v1[o] = v1[n + o] = v1[2 * n + o] = 0;
        v1[a * n + o] = -at[b] / radius;
        v1[b * n + o] = at[a] / radius;
      }
      // bvecs have their x against the voxel axis where the image is stored neurologically (x > 0).
      if (x > 0) v1[o] *= -1;
    }
    return { of, fa, v1, n };
  };

  it.each([-2, 2])('lets a right table pass and mends each of the 23 wrong ones (x voxel axis %i)', (x) => {
    const { of, fa, v1, n } = rings(x);
    const right = checkGradients(fa, v1, all(n), of)!;
    expect(axisWords(right.best)).toBeUndefined();
    expect(right.coherence).toBe(1);
    expect(right.margin).toBeGreaterThan(1.1);
    const orders = [
      [0, 1, 2],
      [1, 0, 2],
      [2, 1, 0],
      [0, 2, 1],
      [1, 2, 0],
      [2, 0, 1],
    ];
    for (const [which, order] of orders.entries())
      for (let negated = which === 0 ? 0 : -1; negated < 3; negated++) {
        const sign = (c: number) => (c === negated ? -1 : 1);
        const wrong = new Float32Array(3 * n);
        for (let c = 0; c < 3; c++)
          for (let o = 0; o < n; o++) wrong[c * n + o] = sign(c) * v1[order[c] * n + o];
        const found = checkGradients(fa, wrong, all(n), of)!;
        expect(found.margin).toBeLessThan(1);
        // Applying what it says gives the right table again, up to the sign of all.
        const mended = [0, 1, 2].map((c) => {
          const from = found.best.order[c];
          return { axis: order[from], sign: found.best.signs[c] * sign(from) };
        });
        expect(mended.map(({ axis }) => axis)).toEqual([0, 1, 2]);
        expect(new Set(mended.map((m) => m.sign)).size).toBe(1);
      }
  });

  it('says the change in words', () => {
    expect(axisWords({ order: [0, 1, 2], signs: [1, -1, 1] })).toBe('negate y');
    expect(axisWords({ order: [1, 0, 2], signs: [1, 1, -1] })).toBe('swap x and y, then negate z');
    expect(axisWords({ order: [1, 2, 0], signs: [1, 1, 1] })).toBe('take y, z, x as x, y, z');
  });

  it('says nothing where there is no white matter', () => {
    const { of, v1, n } = rings(-2);
    expect(checkGradients(new Float32Array(n), v1, all(n), of)).toBeUndefined();
  });
});

describe('tissue and brain', () => {
  it('means per tissue', () => {
    const found = tissueMetrics([0.5, 0.4, 0.1, 0.05, 0.3], [0.7e-3, 0.8e-3, 0.9e-3, 3e-3, 1.5e-3], all(5));
    expect(found['fa_wm_mean']).toBeCloseTo(0.45, 12);
    expect(found['md_wm_mean']).toBeCloseTo(0.75e-3, 12);
    expect(found['md_gm_mean']).toBeCloseTo(0.9e-3, 12);
    expect(found['md_csf_mean']).toBeCloseTo(3e-3, 12);
  });

  it('a ball tapers off at both ends; cut at the top it does not, whichever way slices run', () => {
    for (const up of [1, -1]) {
      const of = gridFromAffine(
        [30, 30, 30],
        Float64Array.of(-2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2 * up, 0, 0, 0, 0, 1),
      );
      const ball = Float32Array.from({ length: 27_000 }, (_, o) =>
        Math.hypot((o % 30) - 15, (Math.floor(o / 30) % 30) - 15, Math.floor(o / 900) - 15) < 12 ? 1 : 0,
      );
      const whole = brainMetrics(ball, of);
      // The cap of a ball of 12 voxels that reaches one more slice: less than (2 * 12 - 1) / 144 = 16 %.
      expect(whole['brain_cut_superior']).toBeLessThan(16);
      expect(whole['brain_volume']).toBeCloseTo((ball.reduce((a, b) => a + b) * 8) / 1000, 6);
      const cut = ball.map((v, o) => ((Math.floor(o / 900) - 15) * up > 2 ? 0 : v));
      expect(brainMetrics(cut, of)['brain_cut_superior']).toBeGreaterThan(80);
      expect(brainMetrics(cut, of)['brain_cut_inferior']).toBeLessThan(16);
    }
  });
});

describe('registration', () => {
  it('overlap, coverage and regions', () => {
    expect(dice([1, 1, 0, 0], [0, 1, 1, 0])).toBe(0.5);
    expect(coverage([1, 0, 1], [1, 1, 0])).toBe(0.5);
    expect(leastCoverage([1, 1, 2, 2, 0], [1, 1, 1, 0, 1], [1, 2])).toBe(0.5);
    expect(leastCoverage([1, 1], [1, 1], [1, 2])).toBe(0);
    expect(dice([0], [0])).toBeNull();
  });

  it('folds of a warp', () => {
    expect(jacobianMetrics([1, -0.1, 2, 0], Int32Array.of(0, 1, 2))).toEqual({
      warp_jacobian_min: -0.1,
      warp_jacobian_max: 2,
      warp_folds: 1,
    });
  });

  it('topup that closes half of the gap has a gain of one half; one that does nothing, of none', () => {
    const random = randomStream('opposed');
    const n = 50_000;
    const signal = Float64Array.from({ length: n }, () => random.normal());
    const noisy = (share: number) =>
      signal.map((s) => Math.sqrt(1 - share) * s + Math.sqrt(share) * random.normal());
    // r = 1 - share: 0.6 before, 0.8 after; standard errors below 0.005 each.
    const before = [noisy(0.4), noisy(0.4)] as const;
    const found = opposedMetrics(before, [noisy(0.2), noisy(0.2)], all(n));
    expect(Math.abs(found['ap_pa_gain']! - 0.5)).toBeLessThan(0.03);
    expect(opposedMetrics(before, before, all(n))['ap_pa_gain']).toBe(0);
  });
});

describe('two sessions', () => {
  it('ICC(A,1): a constant shift counts', () => {
    const a = [1, 2, 3, 4, 5];
    expect(agreement(a, a)).toBeCloseTo(1, 12);
    // MSR = 5, MSC = 2.5, MSE = 0: 5 / (5 + 2 / 5 * 2.5) = 5 / 6.
    expect(
      agreement(
        a,
        a.map((v) => v + 1),
      ),
    ).toBeCloseTo(5 / 6, 12);
  });

  it('retest: difference and within-subject variation in percent', () => {
    const random = randomStream('retest');
    const n = 20_000;
    const noisy = (level: number) =>
      Float64Array.from({ length: n }, () => level * (1 + 0.03 * random.normal()));
    const found = retest(noisy(1e-3), noisy(1e-3), all(n));
    expect(Math.abs(found.difference!)).toBeLessThan(0.15);
    expect(Math.abs(found.variation! - 3)).toBeLessThan(0.1);
    expect(retest(noisy(1e-3), noisy(0.9e-3), all(n)).difference).toBeGreaterThan(9);
  });

  it('names what differs between protocols', () => {
    const protocol = (b: number, readout: number): MeasuredSession['protocol'] => ({
      bvals: Float64Array.of(0, b, b),
      bvecs: new Float64Array(9),
      index: [1, 1, 1],
      schemes: schemesOf([[0, -1, 0, readout]]),
      grid: grid(4, 4, 4),
    });
    expect(protocolDifferences(protocol(1000, 0.05), protocol(1000, 0.0505))).toEqual([]);
    expect(protocolDifferences(protocol(1000, 0.05), protocol(1500, 0.08))).toEqual([
      'volumes per b value: 1 of b = 0, 2 of b = 1000, then 1 of b = 0, 2 of b = 1500',
      'readout times (s): 0.05, then 0.08',
    ]);
  });
});

describe('dictionary and limits', () => {
  it('every threshold judges a metric that has a bad side', () => {
    for (const { metric } of DEFAULT_THRESHOLDS) expect(infoOf(metric)?.worse, metric).toMatch(/high|low/);
  });

  it('knows numbered metrics, and no others', () => {
    for (const name of ['qc_outliers_b1000', 'qc_outliers_pe2', 'b1000_median_cnr', 'CNR0_mean'])
      expect(infoOf(name)?.description).toBeTruthy();
    expect(infoOf('nonsense')).toBeUndefined();
    for (const name of Object.keys(SESSION_METRICS)) expect(name in LONGITUDINAL_METRICS).toBe(false);
  });

  it('limits are crossed on the bad side only; unknown figures cross none', () => {
    expect(isBeyond('mean_fd', 1, 1)).toBe(true);
    expect(isBeyond('template_corr', 0.7, 0.6)).toBe(false);
    expect(isBeyond('md_wm_mean', 1e9, 1)).toBe(false);
    expect(crossings({ qc_outliers_tot: 12, mean_fd: null, mot_abs_max: 3.5 })).toMatchObject([
      { metric: 'mot_abs_max', level: 'warn' },
      { metric: 'qc_outliers_tot', level: 'exclude' },
    ]);
  });
});

describe('eddy_quad’s names', () => {
  it('lists shells, schemes and flags', () => {
    const found = eddyQuad({
      metrics: {
        qc_mot_abs: 0.5,
        qc_outliers_tot: 1,
        qc_outliers_b1000: 2,
        qc_outliers_pe1: 1,
        qc_outliers_pe2: 1,
      },
      notes: [],
      protocol: {
        bvals: Float64Array.of(0, 1000, 0, 1000),
        bvecs: new Float64Array(12),
        index: [1, 1, 2, 2],
        schemes: schemesOf([
          [0, -1, 0, 0.05],
          [0, 1, 0, 0.05],
        ]),
        grid: grid(4, 4, 4),
      },
      gain: null,
      spreads: [
        { mean: 20, median: 19, deviation: 4 },
        { mean: 2, median: 1.9, deviation: 0.4 },
      ],
      hasCnrMaps: true,
      parameters: [0, 1, 2, 3].map((t) => [t, 0, 0, 0, 0, 0, t, 0, 0]),
      displacement: [0.7, 0.7],
    });
    expect(found).toMatchObject({
      data_no_dw_vols: 2,
      data_no_b0_vols: 2,
      data_no_PE_dirs: 2,
      data_protocol: [1, 1, 1, 1],
      data_unique_bvals: [1000],
      data_unique_pes: [
        [0, -1, 0],
        [0, 1, 0],
      ],
      qc_mot_abs: 0.5,
      qc_mot_rel: null,
      qc_outliers_b: [2],
      qc_outliers_pe: [1, 1],
      qc_cnr_avg: [20, 2],
      qc_vox_displ_std: [0.7, 0.7],
      qc_field_flag: true,
    });
    expect((found['qc_params_avg'] as number[])[0]).toBe(1.5);
    expect((found['qc_params_avg'] as number[])[6]).toBeCloseTo(Math.sqrt(5 / 3), 12);
  });
});

it('medians and robust spread', () => {
  expect(medianOf([3, 1, 2, 10])).toBe(2.5);
  expect(medianOf([])).toBeNull();
  expect(robustDeviation([1, 1, 1, 100])).toBe(0);
  expect([...voxelsOf([0, 2, 0, 1])]).toEqual([1, 3]);
});
