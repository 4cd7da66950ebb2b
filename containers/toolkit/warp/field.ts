/** Displacement fields made from other transforms, and their Jacobian determinants. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import { type Dims, type Grid, type Image, voxelCount, voxelToFsl } from '../../../imaging/image.ts';
import { defineJob, pieces, shared, type Threads } from '../threads.ts';
import { type PointMap, pointMap, type Warp } from './warp.ts';

/** One part of a chain of transforms, in the direction points go: from the reference to the source, in FSL mm. */
export type Link = { readonly matrix: Matrix4 } | { readonly warp: Warp };

/** Slices a thread is given at a time. */
const SLICES = 8;

interface ComposeInput {
  readonly links: readonly Link[];
  readonly toFsl: Matrix4;
  readonly dims: Dims;
  readonly slices: readonly [number, number];
  readonly out: Float32Array;
}

function mapOf(link: Link): PointMap {
  if ('warp' in link) return pointMap(link.warp);
  const m = link.matrix;
  return {
    sourceAt(x, y, z, out) {
      out[0] = m[0] * x + m[1] * y + m[2] * z + m[3];
      out[1] = m[4] * x + m[5] * y + m[6] * z + m[7];
      out[2] = m[8] * x + m[9] * y + m[10] * z + m[11];
    },
  };
}

const composeJob = defineJob('compose warps', (input: ComposeInput): void => {
  const { toFsl, dims, slices, out } = input;
  const [nx, ny, nz] = dims;
  const n = nx * ny * nz;
  const maps = input.links.map(mapOf);
  const p = new Float64Array(3);
  let o = nx * ny * slices[0];
  for (let k = slices[0]; k < slices[1]; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        // voxelToFsl is diagonal but for the offset of x.
        const x = toFsl[0] * i + toFsl[3];
        const y = toFsl[5] * j;
        const z = toFsl[10] * k;
        p[0] = x;
        p[1] = y;
        p[2] = z;
        for (let m = 0; m < maps.length; m++) maps[m].sourceAt(p[0], p[1], p[2], p);
        out[o] = p[0] - x;
        out[o + n] = p[1] - y;
        out[o + 2 * n] = p[2] - z;
      }
});

/** The displacement field, on `reference`, of a chain of transforms. */
export async function composeField(
  links: readonly Link[],
  reference: Grid,
  threads: Threads,
): Promise<Image> {
  const out = shared(new Float32Array(3 * voxelCount(reference)));
  const toFsl = voxelToFsl(reference);
  const { dims } = reference;
  await threads.map(
    composeJob,
    pieces(dims[2], SLICES).map((slices) => ({ links, toFsl, dims, slices, out })),
  );
  return { grid: reference, volumes: 3, data: out };
}

/** Source coordinates in place of displacements. */
export function absoluteField(field: Image): Image {
  const [nx, ny, nz] = field.grid.dims;
  const n = nx * ny * nz;
  const toFsl = voxelToFsl(field.grid);
  const data = Float32Array.from(field.data);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        data[o] += toFsl[0] * i + toFsl[3];
        data[o + n] += toFsl[5] * j;
        data[o + 2 * n] += toFsl[10] * k;
      }
  return { ...field, data };
}

/**
 * Jacobian determinants of a displacement field, by differences of a voxel's neighbours (at edges of itself and one).
 * 1 where volume is kept; the affine part of the field counts.
 */
export function fieldJacobian(field: Image): Float32Array {
  const { dims } = field.grid;
  const toFsl = voxelToFsl(field.grid);
  const strides = [1, dims[0], dims[0] * dims[1]];
  const n = voxelCount(field.grid);
  const d = field.data;
  const out = new Float32Array(n);
  const m = new Float64Array(9);
  const at = [0, 0, 0];
  for (let o = 0; o < n; o++) {
    at[0] = o % dims[0];
    at[1] = Math.floor(o / dims[0]) % dims[1];
    at[2] = Math.floor(o / strides[2]);
    for (let a = 0; a < 3; a++) {
      const next = at[a] < dims[a] - 1 ? o + strides[a] : o;
      const last = at[a] > 0 ? o - strides[a] : o;
      const mm = Math.max(1, (next - last) / strides[a]) * toFsl[5 * a];
      for (let c = 0; c < 3; c++) m[3 * c + a] = (c === a ? 1 : 0) + (d[c * n + next] - d[c * n + last]) / mm;
    }
    out[o] =
      m[0] * (m[4] * m[8] - m[5] * m[7]) -
      m[1] * (m[3] * m[8] - m[5] * m[6]) +
      m[2] * (m[3] * m[7] - m[4] * m[6]);
  }
  return out;
}
