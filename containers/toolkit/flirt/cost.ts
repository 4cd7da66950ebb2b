/**
 * How unlike two images are over paired samples, with the derivative for each sample. Sample i has the reference's
 * intensity x[i] (fixed), the source's y[i] and a weight w[i]; both y and w move with the transform. Costs are
 * normalized by the overlap, so that they compare between transforms (Jenkinson & Smith 2001, Jenkinson 2002).
 */

/** FSL's names. */
export const COSTS = ['corratio', 'mutualinfo', 'normmi', 'normcorr', 'leastsq'] as const;
export type CostName = (typeof COSTS)[number];

/** Derivatives of the cost by y[i] and w[i], one number per sample. */
export interface SampleGradient {
  readonly y: Float32Array;
  readonly w: Float32Array;
}

/**
 * Value of a cost (lower is better); fills `gradient` where given. Infinity where it is undefined: no overlap, or no
 * contrast in one of the images.
 */
export type Cost = (y: Float32Array, w: Float32Array, gradient?: SampleGradient) => number;

/** A histogram's binning of a range of intensities. */
interface Bins {
  readonly count: number;
  readonly low: number;
  /** Bins per unit of intensity. */
  readonly scale: number;
}

/** Enough values to tell percentiles by. */
const ENOUGH = 50_000;

/** Bins between the 0.1st and 99.9th percentile: single bright voxels would leave the rest to few bins. */
function binning(values: Float32Array, count: number): Bins {
  const step = Math.max(1, Math.floor(values.length / ENOUGH));
  const sorted = values.filter((_, i) => i % step === 0).sort();
  const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))];
  let [low, high] = [at(0.001), at(0.999)];
  if (!(high > low)) [low, high] = [at(0), at(1)];
  return { count, low, scale: high > low ? count / (high - low) : 0 };
}

/**
 * Correlation ratio (Roche 1998), as a cost: the share of the source's variance that the reference's intensity does not
 * explain, sum_k n_k var_k / (n var).
 */
function correlationRatio(x: Float32Array, count: number): Cost {
  const bins = binning(x, count);
  const bin = Uint16Array.from(x, (v) =>
    Math.min(count - 1, Math.max(0, Math.floor((v - bins.low) * bins.scale))),
  );
  const [sw, sy, syy] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  return (y, w, gradient) => {
    sw.fill(0);
    sy.fill(0);
    syy.fill(0);
    for (let i = 0; i < y.length; i++) {
      const wi = w[i];
      if (wi === 0) continue;
      const b = bin[i];
      const wy = wi * y[i];
      sw[b] += wi;
      sy[b] += wy;
      syy[b] += wy * y[i];
    }
    let [n, s, q, within] = [0, 0, 0, 0];
    for (let b = 0; b < count; b++) {
      if (!(sw[b] > 0)) continue;
      n += sw[b];
      s += sy[b];
      q += syy[b];
      within += Math.max(0, syy[b] - (sy[b] * sy[b]) / sw[b]);
    }
    const mean = s / n;
    const total = q - s * mean;
    if (!(n > 0) || !(total > 1e-12 * q)) return Number.POSITIVE_INFINITY;
    const ratio = within / total;
    if (gradient) {
      for (let b = 0; b < count; b++) sy[b] = sw[b] > 0 ? sy[b] / sw[b] : 0;
      for (let i = 0; i < y.length; i++) {
        const inBin = y[i] - sy[bin[i]];
        const inAll = y[i] - mean;
        gradient.y[i] = (2 * w[i] * (inBin - ratio * inAll)) / total;
        gradient.w[i] = (inBin * inBin - ratio * inAll * inAll) / total;
      }
    }
    return ratio;
  };
}

/** 1 - r, with the weighted correlation coefficient r. */
function normalizedCorrelation(x: Float32Array): Cost {
  return (y, w, gradient) => {
    let [n, sx, sy, sxx, sxy, syy] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < y.length; i++) {
      const wi = w[i];
      if (wi === 0) continue;
      const xi = x[i];
      const yi = y[i];
      const wx = wi * xi;
      const wy = wi * yi;
      n += wi;
      sx += wx;
      sy += wy;
      sxx += wx * xi;
      sxy += wx * yi;
      syy += wy * yi;
    }
    const [mx, my] = [sx / n, sy / n];
    const [vx, vy, vxy] = [sxx - sx * mx, syy - sy * my, sxy - sx * my];
    if (!(n > 0) || !(vx > 1e-12 * sxx) || !(vy > 1e-12 * syy)) return Number.POSITIVE_INFINITY;
    const norm = 1 / Math.sqrt(vx * vy);
    const r = vxy * norm;
    if (gradient)
      for (let i = 0; i < y.length; i++) {
        const dx = x[i] - mx;
        const dy = y[i] - my;
        gradient.y[i] = -w[i] * (dx * norm - (r * dy) / vy);
        gradient.w[i] = -(dx * dy * norm - 0.5 * r * ((dx * dx) / vx + (dy * dy) / vy));
      }
    return 1 - r;
  };
}

/** Weighted mean of squared differences, relative to the reference's variance so that tolerances fit any unit. */
function leastSquares(x: Float32Array): Cost {
  let mean = 0;
  for (const v of x) mean += v / x.length;
  let variance = 0;
  for (const v of x) variance += (v - mean) ** 2 / x.length;
  return (y, w, gradient) => {
    let [n, s] = [0, 0];
    for (let i = 0; i < y.length; i++) {
      const d = y[i] - x[i];
      n += w[i];
      s += w[i] * d * d;
    }
    if (!(n > 0) || !(variance > 0)) return Number.POSITIVE_INFINITY;
    const cost = s / n;
    const norm = 1 / (n * variance);
    if (gradient)
      for (let i = 0; i < y.length; i++) {
        const d = y[i] - x[i];
        gradient.y[i] = 2 * w[i] * d * norm;
        gradient.w[i] = (d * d - cost) * norm;
      }
    return cost / variance;
  };
}

/**
 * Mutual information H(X) + H(Y) - H(X, Y), negated, or (normalized) -(H(X) + H(Y)) / H(X, Y). A source intensity is
 * shared between its two nearest bins (Jenkinson 2002's fuzzy binning), which makes the cost differentiable.
 */
function mutualInformation(
  x: Float32Array,
  count: number,
  normalized: boolean,
): (source: Float32Array) => Cost {
  const xBins = binning(x, count);
  const row = Uint32Array.from(
    x,
    (v) => count * Math.min(count - 1, Math.max(0, Math.floor((v - xBins.low) * xBins.scale))),
  );
  const joint = new Float64Array(count * count);
  const [px, py] = [new Float64Array(count), new Float64Array(count)];
  return (source) => {
    const yBins = binning(source, count - 1);
    /** Position of y among the bins' centres, 0 to count - 1. */
    const position = (y: number) => Math.max(0, Math.min(count - 1, (y - yBins.low) * yBins.scale));
    return (y, w, gradient) => {
      joint.fill(0);
      px.fill(0);
      py.fill(0);
      let n = 0;
      for (let i = 0; i < y.length; i++) {
        const wi = w[i];
        if (wi === 0) continue;
        const p = position(y[i]);
        const b = Math.min(count - 2, Math.floor(p));
        const f = p - b;
        joint[row[i] + b] += wi * (1 - f);
        joint[row[i] + b + 1] += wi * f;
        n += wi;
      }
      if (!(n > 0)) return Number.POSITIVE_INFINITY;
      for (let a = 0; a < count; a++)
        for (let b = 0; b < count; b++) {
          const p = joint[a * count + b] / n;
          joint[a * count + b] = p;
          px[a] += p;
          py[b] += p;
        }
      let [hx, hy, hxy] = [0, 0, 0];
      for (let a = 0; a < count; a++) {
        if (px[a] > 0) hx -= px[a] * Math.log(px[a]);
        if (py[a] > 0) hy -= py[a] * Math.log(py[a]);
      }
      for (let i = 0; i < joint.length; i++) if (joint[i] > 0) hxy -= joint[i] * Math.log(joint[i]);
      if (!(hx > 1e-9) || !(hy > 1e-9)) return Number.POSITIVE_INFINITY;
      const value = normalized ? -(hx + hy) / hxy : hxy - hx - hy;
      if (gradient) {
        // Derivative of the cost by each joint probability; the constants of d(p log p) cancel or act through `w` alone.
        const [marginal, both] = normalized ? [1 / hxy, (hx + hy) / (hxy * hxy)] : [1, 1];
        let mean = 0;
        for (let a = 0; a < count; a++)
          for (let b = 0; b < count; b++) {
            const p = joint[a * count + b];
            if (p === 0) continue;
            const d = marginal * (2 + Math.log(px[a]) + Math.log(py[b])) - both * (1 + Math.log(p));
            joint[a * count + b] = d;
            mean += p * d;
          }
        for (let i = 0; i < y.length; i++) {
          if (w[i] === 0) {
            gradient.y[i] = gradient.w[i] = 0;
            continue;
          }
          const p = position(y[i]);
          const b = Math.min(count - 2, Math.floor(p));
          const f = p - b;
          const d0 = joint[row[i] + b];
          const d1 = joint[row[i] + b + 1];
          gradient.y[i] = p > 0 && p < count - 1 ? (w[i] * yBins.scale * (d1 - d0)) / n : 0;
          gradient.w[i] = (d0 + f * (d1 - d0) - mean) / n;
        }
      }
      return value;
    };
  };
}

/**
 * Costs against one reference.
 * @param x the reference's intensities, one per sample
 * @param bins of each histogram's axis
 * @returns the cost for a source, given all of its intensities (they set the range of its histogram)
 */
export function createCost(name: CostName, x: Float32Array, bins: number): (source: Float32Array) => Cost {
  const fixed = (cost: Cost) => () => cost;
  switch (name) {
    case 'corratio':
      return fixed(correlationRatio(x, bins));
    case 'normcorr':
      return fixed(normalizedCorrelation(x));
    case 'leastsq':
      return fixed(leastSquares(x));
    case 'mutualinfo':
      return mutualInformation(x, bins, false);
    case 'normmi':
      return mutualInformation(x, bins, true);
  }
}
