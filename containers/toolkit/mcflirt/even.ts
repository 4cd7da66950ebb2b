/**
 * Evens out slow shades of a volume. Receive coils shade a scan by place, whatever lies there: between volumes of other
 * contrast such a shade, the same in both, pulls statistics of intensities a tenth of a millimetre off.
 */
import { invert, multiply } from '../../../imaging/affine.ts';
import { resample } from '../../../imaging/interpolate.ts';
import { smooth } from '../../../imaging/smooth.ts';
import type { Level } from '../flirt/pyramid.ts';

/** Standard deviation in mm of the neighbourhood whose mean is the shade: wider than anatomy, narrower than shades. */
const NEIGHBOURHOOD = 15;
/** What is brighter than this share of the bright voxels is tissue; air has no shade to tell. */
const TISSUE = 0.5;
/** Weight of the whole head's mean where no tissue is near. */
const FAR = 0.01;

/** Mean intensity of the tissue about each voxel of a coarse level; undefined where there is no tissue. */
function shadeOf({ data, dims, mm }: Level): Float32Array | undefined {
  const sorted = Float32Array.from(data).sort();
  const threshold = TISSUE * sorted[Math.floor(0.98 * sorted.length)];
  if (!(threshold > 0)) return undefined;
  const tissue = data.map((v) => (v > threshold ? 1 : 0));
  const sigma = NEIGHBOURHOOD / mm;
  const near = smooth(tissue, dims, [sigma, sigma, sigma]);
  const sum = smooth(
    data.map((v, o) => v * tissue[o]),
    dims,
    [sigma, sigma, sigma],
  );
  let [total, count] = [0, 0];
  for (let o = 0; o < data.length; o++) {
    total += data[o] * tissue[o];
    count += tissue[o];
  }
  const mean = total / count;
  return sum.map((s, o) => (s + FAR * mean) / (near[o] + FAR));
}

/** Levels of one volume, coarse to fine, each divided by the shade that the coarsest one shows. */
export function even(levels: readonly Level[]): Level[] {
  const coarsest = levels[0];
  const shade = shadeOf(coarsest);
  if (!shade) return [...levels];
  return levels.map((level) => {
    const m = multiply(invert(coarsest.toFsl), level.toFsl);
    const here = level === coarsest ? shade : resample(shade, coarsest.dims, level, m);
    return { ...level, data: level.data.map((v, o) => (here[o] > 0 ? v / here[o] : 0)) };
  });
}
