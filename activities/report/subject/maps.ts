/** Maps for the page's viewer: small enough to stand in a page, exact enough to be looked at. No I/O. */
import { gzipSync } from 'node:zlib';
import { invert, multiply, translation } from '../../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, regrid } from '../../../imaging/image.ts';
import { resample } from '../../../imaging/interpolate.ts';
import { encodeNifti } from '../../../imaging/nifti.ts';
import { boxAround } from '../pictures.ts';

/** Voxels of the viewer are no smaller, mm. */
const FINEST_MM = 2;

/** The grid of the viewer's maps: the template's around `brain`, no finer than 2 mm. */
export function viewerGrid(brain: Image): Grid {
  const [x, y, z] = boxAround({ grid: brain.grid, data: brain.data }, 1);
  const cut = gridFromAffine(
    [x[1] - x[0], y[1] - y[0], z[1] - z[0]],
    multiply(brain.grid.affine, translation(x[0], y[0], z[0])),
  );
  return Math.min(...cut.voxelSizes) < FINEST_MM ? regrid(cut, FINEST_MM) : cut;
}

/**
 * A map as gzipped NIfTI of one byte a voxel with scl_slope and scl_inter: 254 steps over `range`, zero among the values
 * exactly where the range holds it. Values beyond the range are its ends. Voxels without data (exactly zero, or no number)
 * lie one step below the range, so that a viewer leaves them clear.
 */
export function viewerMap(map: Image, grid: Grid, [low, high]: readonly [number, number]): Buffer {
  const toMap = multiply(invert(map.grid.affine), grid.affine);
  const known = map.data.map((value) => value || 0);
  const data = resample(known, map.grid.dims, grid, toMap);
  const nearest = resample(known, map.grid.dims, grid, toMap, 'nearest');
  const slope = (high - low) / 254;
  const inter = -slope * Math.round(1 - low / slope);
  const codes = data.map((value, i) =>
    nearest[i] === 0 ? 0 : Math.max(1, Math.min(255, Math.round((value - inter) / slope))),
  );
  return packed(grid, codes, { slope, inter });
}

/** Regions as gzipped NIfTI of one byte a voxel. */
export function viewerLabels(labels: Image, grid: Grid): Buffer {
  const toMap = multiply(invert(labels.grid.affine), grid.affine);
  return packed(grid, resample(labels.data, labels.grid.dims, grid, toMap, 'nearest'), {
    slope: 1,
    inter: 0,
  });
}

function packed(grid: Grid, codes: Float32Array, scale: { slope: number; inter: number }): Buffer {
  const bytes = encodeNifti({ grid, volumes: 1, data: codes }, { type: 'uint8', codesOf: scale });
  return gzipSync(bytes, { level: 9 });
}
