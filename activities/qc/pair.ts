/** A subject's sessions against each other, on the baseline's grid. */
import { invert, multiply } from '../../imaging/affine.ts';
import { type Image, voxelToFsl } from '../../imaging/image.ts';
import { type Interpolation, resample } from '../../imaging/interpolate.ts';
import { readImage } from '../../imaging/nifti.ts';
import { agreement, ratioOf, retest } from '../../imaging/qc/longitudinal.ts';
import { correlation, meanOf, voxelsOf } from '../../imaging/qc/numbers.ts';
import { dice } from '../../imaging/qc/registration.ts';
import { shellsOf } from '../../imaging/qc/shells.ts';
import { tissueOf } from '../../imaging/qc/tissue.ts';
import type { SessionMaps } from '../../pipeline/protocol.ts';
import type { FileRef } from '../../pipeline/step.ts';
import { readRows } from './read.ts';
import type { MeasuredSession } from './session.ts';

/** Voxel sizes that differ by less than this share are the same. */
const SAME_SIZE = 0.01;
/** Readout times that differ by less than this share are the same. */
const SAME_READOUT = 0.02;

/** What differs between two sessions' protocols, in words. */
export function protocolDifferences(
  a: MeasuredSession['protocol'],
  b: MeasuredSession['protocol'],
): string[] {
  const differs = (name: string, of: (one: MeasuredSession['protocol']) => string) =>
    of(a) === of(b) ? [] : [`${name}: ${of(a)}, then ${of(b)}`];
  const far = (x: number, y: number, share: number) => Math.abs(x - y) > share * Math.max(x, y);
  const sizes = a.grid.voxelSizes.some((size, axis) => far(size, b.grid.voxelSizes[axis], SAME_SIZE));
  const readouts = a.schemes.some(({ readoutSeconds }, row) => {
    const other = b.schemes[row];
    return other !== undefined && far(readoutSeconds, other.readoutSeconds, SAME_READOUT);
  });
  return [
    ...differs('dimensions', ({ grid }) => grid.dims.join(' x ')),
    ...(sizes
      ? differs('voxel sizes (mm)', ({ grid }) => grid.voxelSizes.map((mm) => mm.toFixed(3)).join(' x '))
      : []),
    ...differs('volumes per b value', ({ bvals }) => {
      const shells = shellsOf(bvals);
      return [...new Set(shells)]
        .sort((x, y) => x - y)
        .map((shell) => `${shells.filter((one) => one === shell).length} of b = ${shell}`)
        .join(', ');
    }),
    ...differs('phase encodings', ({ schemes }) =>
      schemes.map(({ axis, sign }) => `${'ijk'[axis]}${sign < 0 ? '-' : ''}`).join(', '),
    ),
    ...(readouts
      ? differs('readout times (s)', ({ schemes }) => schemes.map((s) => s.readoutSeconds).join(', '))
      : []),
  ];
}

/** @param followupToBaseline FLIRT's matrix */
export async function pairMetrics(
  [first, second]: readonly [SessionMaps, SessionMaps],
  [a, b]: readonly [MeasuredSession, MeasuredSession],
  followupToBaseline: FileRef,
): Promise<{ metrics: Record<string, number | null>; notes: string[] }> {
  const notes: string[] = [];
  const matrix = Float64Array.from((await readRows(followupToBaseline)).flat());
  const reference = await readImage(first.fa.path);
  const { grid } = reference;
  const moved = async (file: FileRef, interpolation: Interpolation): Promise<Float32Array> => {
    const image: Image = await readImage(file.path);
    const toSource = multiply(multiply(invert(voxelToFsl(image.grid)), invert(matrix)), voxelToFsl(grid));
    return resample(image.data, image.grid.dims, grid, toSource, interpolation);
  };
  const mask = (await readImage(first.mask.path)).data;
  const otherMask = await moved(second.mask, 'nearest');
  const voxels = voxelsOf(mask).filter((o) => otherMask[o] > 0);
  const fa = reference.data;
  const otherFa = await moved(second.fa, 'linear');
  const md = (await readImage(first.md.path)).data;
  const otherMd = await moved(second.md, 'linear');
  const both = (tissue: string) =>
    voxels.filter((o) => tissueOf(fa[o], md[o]) === tissue && tissueOf(otherFa[o], otherMd[o]) === tissue);
  const [white, grey, fluid] = [both('white'), both('grey'), both('fluid')];
  const solid = Int32Array.from([...white, ...grey]);
  const { difference, variation } = retest(md, otherMd, white);
  const at = (map: Float32Array, where: Int32Array) => Float64Array.from(where, (o) => map[o]);
  const differences = protocolDifferences(a.protocol, b.protocol);
  notes.push(...differences.map((words) => `The sessions differ in ${words}.`));
  const csf = ratioOf(meanOf(at(md, fluid)), meanOf(at(otherMd, fluid)));
  // Another b value or number of directions changes the ratio of its own.
  const gain = differences.length === 0 ? ratioOf(a.gain, b.gain) : null;
  if (differences.length > 0) notes.push('The gain of b0s is not compared: the protocols differ.');
  const drift = (ratio: number | null) => (ratio === null ? null : 100 * Math.abs(ratio - 1));
  return {
    metrics: {
      coregistration_corr: correlation(fa, otherFa, voxels),
      coregistration_dice: dice(mask, otherMask),
      md_wm_difference: difference,
      md_wm_cv: variation,
      md_icc: agreement(at(md, solid), at(otherMd, solid)),
      csf_md_ratio: csf,
      gain_ratio: gain,
      csf_md_drift: drift(csf),
      gain_drift: drift(gain),
      protocol_differences: differences.length,
    },
    notes,
  };
}
