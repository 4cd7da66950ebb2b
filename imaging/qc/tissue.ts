/** Tensor maps by tissue, and how much of the brain the field of view holds. Diffusivities in mm2/s. */
import type { Grid } from '../image.ts';
import { meanOf } from './numbers.ts';

/** Tissue of a voxel by its FA and MD alone; undefined where it is none for certain. */
export function tissueOf(fa: number, md: number): 'white' | 'grey' | 'fluid' | undefined {
  if (!(md > 0)) return undefined;
  if (fa > 0.25 && md < 1.1e-3) return 'white';
  if (fa < 0.2 && md > 2e-3) return 'fluid';
  return fa < 0.2 && md > 0.6e-3 && md < 1.2e-3 ? 'grey' : undefined;
}

/** Mean FA and MD per tissue, under the names of the dictionary. */
export function tissueMetrics(
  fa: ArrayLike<number>,
  md: ArrayLike<number>,
  voxels: Int32Array,
): Record<string, number | null> {
  const values = { white: [[], []], grey: [[], []], fluid: [[], []] } as Record<string, [number[], number[]]>;
  for (const o of voxels) {
    const tissue = tissueOf(fa[o], md[o]);
    if (tissue === undefined) continue;
    values[tissue][0].push(fa[o]);
    values[tissue][1].push(md[o]);
  }
  return {
    fa_wm_mean: meanOf(values['white'][0]),
    md_wm_mean: meanOf(values['white'][1]),
    fa_gm_mean: meanOf(values['grey'][0]),
    md_gm_mean: meanOf(values['grey'][1]),
    md_csf_mean: meanOf(values['fluid'][1]),
  };
}

/**
 * How much brain ends with the field of view: area of the last slice that holds brain, of the largest, in percent, at
 * the top and at the bottom. A whole brain tapers off; a cut one does not.
 */
export function brainMetrics(mask: ArrayLike<number>, grid: Grid): Record<string, number | null> {
  const m = grid.affine;
  // The voxel axis that runs most along the body.
  const axis = [0, 1, 2].reduce((a, b) => (Math.abs(m[8 + b]) > Math.abs(m[8 + a]) ? b : a));
  const stride = [1, grid.dims[0], grid.dims[0] * grid.dims[1]][axis];
  const areas = new Int32Array(grid.dims[axis]);
  let total = 0;
  for (let o = 0; o < mask.length; o++)
    if (mask[o] > 0) {
      areas[Math.floor(o / stride) % areas.length]++;
      total++;
    }
  const most = areas.reduce((a, b) => Math.max(a, b), 0);
  const filled = [...areas.keys()].filter((k) => areas[k] > 0);
  const ends = [filled[0], filled[filled.length - 1]];
  const [inferior, superior] = m[8 + axis] > 0 ? ends : ends.reverse();
  const share = (k: number) => (most > 0 ? (100 * areas[k]) / most : null);
  const [dx, dy, dz] = grid.voxelSizes;
  return {
    brain_volume: (total * dx * dy * dz) / 1000,
    brain_cut_superior: share(superior),
    brain_cut_inferior: share(inferior),
  };
}
