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

/** Maps of one session, in its own space. */
interface NativeMaps {
  readonly fa: Image;
  readonly md: Float32Array;
  readonly mask: Float32Array;
}

async function nativeMaps({ fa, md, mask }: SessionMaps): Promise<NativeMaps> {
  const read = async (file: FileRef) => (await readImage(file.path)).data;
  return { fa: await readImage(fa.path), md: await read(md), mask: await read(mask) };
}

/** A session's maps on the grid of another. @param toReference FLIRT's matrix from the one to the other */
function compareOn(reference: NativeMaps, moving: NativeMaps, toReference: Float64Array) {
  const { grid } = reference.fa;
  const from = moving.fa.grid;
  const toSource = multiply(multiply(invert(voxelToFsl(from)), invert(toReference)), voxelToFsl(grid));
  const moved = (data: Float32Array, interpolation: Interpolation) =>
    resample(data, from.dims, grid, toSource, interpolation);
  const mask = moved(moving.mask, 'nearest');
  const [fa, md] = [moved(moving.fa.data, 'linear'), moved(moving.md, 'linear')];
  const voxels = voxelsOf(reference.mask).filter((o) => mask[o] > 0);
  const both = (tissue: string) =>
    voxels.filter(
      (o) => tissueOf(reference.fa.data[o], reference.md[o]) === tissue && tissueOf(fa[o], md[o]) === tissue,
    );
  const [white, grey, fluid] = [both('white'), both('grey'), both('fluid')];
  const solid = Int32Array.from([...white, ...grey]);
  const at = (map: Float32Array, where: Int32Array) => Float64Array.from(where, (o) => map[o]);
  return {
    correlation: correlation(reference.fa.data, fa, voxels),
    dice: dice(reference.mask, mask),
    icc: agreement(at(reference.md, solid), at(md, solid)),
    fluidRatio: ratioOf(meanOf(at(reference.md, fluid)), meanOf(at(md, fluid))),
    ...retest(reference.md, md, white),
  };
}

/** Both known, or nothing. */
function ofBoth(
  a: number | null,
  b: number | null,
  combine: (a: number, b: number) => number,
): number | null {
  return a === null || b === null ? null : combine(a, b);
}

/**
 * Interpolation smooths the map that is moved, which lowers its fluid and its white matter's contrast: levels are compared
 * both ways, each session being moved once, and the mean of both is told.
 * @param followupToBaseline FLIRT's matrix
 */
export async function pairMetrics(
  [first, second]: readonly [SessionMaps, SessionMaps],
  [a, b]: readonly [MeasuredSession, MeasuredSession],
  followupToBaseline: FileRef,
): Promise<{ metrics: Record<string, number | null>; notes: string[] }> {
  const matrix = Float64Array.from((await readRows(followupToBaseline)).flat());
  const [baseline, followup] = [await nativeMaps(first), await nativeMaps(second)];
  const there = compareOn(baseline, followup, matrix);
  const back = compareOn(followup, baseline, invert(matrix));
  const differences = protocolDifferences(a.protocol, b.protocol);
  const notes = differences.map((words) => `The sessions differ in ${words}.`);
  const csf = ofBoth(there.fluidRatio, back.fluidRatio, (forth, back) => Math.sqrt(forth / back));
  // Another b value or number of directions changes the ratio of its own.
  const gain = differences.length === 0 ? ratioOf(a.gain, b.gain) : null;
  if (differences.length > 0) notes.push('The gain of b0s is not compared: the protocols differ.');
  const drift = (ratio: number | null) => (ratio === null ? null : 100 * Math.abs(ratio - 1));
  return {
    metrics: {
      coregistration_corr: there.correlation,
      coregistration_dice: there.dice,
      md_wm_difference: ofBoth(there.difference, back.difference, (forth, back) => (forth - back) / 2),
      md_wm_cv: ofBoth(there.variation, back.variation, (forth, back) => (forth + back) / 2),
      md_icc: ofBoth(there.icc, back.icc, (forth, back) => (forth + back) / 2),
      csf_md_ratio: csf,
      gain_ratio: gain,
      csf_md_drift: drift(csf),
      gain_drift: drift(gain),
      protocol_differences: differences.length,
    },
    notes,
  };
}
