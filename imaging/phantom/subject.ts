/** A subject's own anatomy: how the phantom is bent into an individual head, and sampled on the scanner's grid. */
import { chain, invert, type Matrix4, rotation, scaling, transformPoint, translation } from '../affine.ts';
import { type Dims, type Grid, voxelCount } from '../image.ts';
import { sampleLinear } from '../interpolate.ts';
import { sampleSpline } from '../spline.ts';
import { type RandomStream, randomStream } from './random.ts';
import { ROI_NAMES, type RoiName } from './regions.ts';
import { meanDiffusivity, type Phantom } from './template.ts';

/** Middle of the head in template mm: poses and fields of view turn about it. */
export const HEAD_CENTRE = [0, -18, 8] as const;

/** Maps the subject's head (mm, upright) to the template (mm): an affine, then a smooth displacement. */
export interface Anatomy {
  readonly affine: Matrix4;
  /** Cubic B-spline coefficients in mm of the displacement along x, y, z on knots over template space. */
  readonly warp: readonly [Float32Array, Float32Array, Float32Array];
  readonly knotDims: Dims;
  readonly templateToKnot: Matrix4;
  /** The subject's own level of MD, as a factor on the phantom's. */
  readonly mdFactor: number;
}

const KNOT_MM = 36;
const KNOT_DIMS: Dims = [9, 10, 9];

/** Draws an anatomy; `variation` 1 is usual (about 4 % of size, 2.5 mm of warp), 0 is the template itself. */
export function drawAnatomy(random: RandomStream, variation: number): Anatomy {
  const draw = (sd: number) => variation * sd * random.normal();
  const rotate = rotation(draw(0.03), draw(0.02), draw(0.02));
  const size = 1 + draw(0.03);
  const scale = scaling(size + draw(0.02), size + draw(0.02), size + draw(0.02));
  const [x, y, z] = HEAD_CENTRE;
  const affine = chain(
    translation(x + draw(1), y + draw(1), z + draw(1)),
    rotate,
    scale,
    translation(-x, -y, -z),
  );
  // Independent coefficients of 4.5 mm give a displacement of about 1.5 mm (root mean square) along each axis.
  const component = () =>
    Float32Array.from({ length: KNOT_DIMS[0] * KNOT_DIMS[1] * KNOT_DIMS[2] }, () => draw(4.5));
  const templateToKnot = chain(
    translation((KNOT_DIMS[0] - 1) / 2, (KNOT_DIMS[1] - 1) / 2, (KNOT_DIMS[2] - 1) / 2),
    scaling(1 / KNOT_MM, 1 / KNOT_MM, 1 / KNOT_MM),
    translation(-x, -y, -z),
  );
  return {
    affine,
    warp: [component(), component(), component()],
    knotDims: KNOT_DIMS,
    templateToKnot,
    mdFactor: 1 + draw(0.015),
  };
}

/** Template mm of every voxel of `grid`: volumes x, y, z. `voxelToHead` maps voxel indices to the upright head's mm. */
export function templateCoordinates(anatomy: Anatomy, grid: Grid, voxelToHead: Matrix4): Float32Array {
  const n = voxelCount(grid);
  const out = new Float32Array(3 * n);
  const m = chain(anatomy.affine, voxelToHead);
  const k = anatomy.templateToKnot;
  const [nx, ny, nz] = grid.dims;
  for (let v = 0, o = 0; v < nz; v++)
    for (let u = 0; u < ny; u++)
      for (let t = 0; t < nx; t++, o++) {
        const x = m[0] * t + m[1] * u + m[2] * v + m[3];
        const y = m[4] * t + m[5] * u + m[6] * v + m[7];
        const z = m[8] * t + m[9] * u + m[10] * v + m[11];
        const a = k[0] * x + k[3];
        const b = k[5] * y + k[7];
        const c = k[10] * z + k[11];
        out[o] = x + sampleSpline(anatomy.warp[0], anatomy.knotDims, a, b, c);
        out[n + o] = y + sampleSpline(anatomy.warp[1], anatomy.knotDims, a, b, c);
        out[2 * n + o] = z + sampleSpline(anatomy.warp[2], anatomy.knotDims, a, b, c);
      }
  return out;
}

/** Fall of MD per region in mm2/s (baseline minus this session). */
export type RegionalChange = Readonly<Record<RoiName, number>>;

/** The fall of MD in every voxel of the phantom's lattice. */
export function changeMap(phantom: Phantom, change: RegionalChange): Float32Array {
  const out = new Float32Array(voxelCount(phantom.grid));
  const { voxels, shares } = phantom.regions;
  const amounts = ROI_NAMES.map((name) => change[name]);
  for (let v = 0; v < voxels.length; v++)
    for (let r = 0; r < amounts.length; r++) out[voxels[v]] += shares[amounts.length * v + r] * amounts[r];
  return out;
}

/** True mean MD (mm2/s) over each region's own template voxels. */
export function regionalMd(phantom: Phantom, anatomy: Anatomy, change: RegionalChange): number[] {
  const md = meanDiffusivity(phantom.tensor);
  return ROI_NAMES.map((name, r) => {
    let [sum, count] = [0, 0];
    for (let o = 0; o < md.length; o++)
      if (phantom.regions.labels[o] === r + 1) {
        sum += md[o];
        count++;
      }
    return (anatomy.mdFactor * sum) / count - change[name];
  });
}

/** What the scanner sees at rest, on its own grid. */
export interface Head {
  readonly s0: Float32Array;
  /** mm2/s, world axes: volumes xx xy xz yy yz zz. */
  readonly tensor: Float32Array;
  /** 1 in the brain. */
  readonly brain: Float32Array;
  /** Template mm: volumes x, y, z. */
  readonly template: Float32Array;
}

/** Rotation nearest to a 3 x 3 matrix, in place (Higham 1986, SIAM J Sci Stat Comput 7:1160: Newton for the polar factor). */
function nearestRotation(m: Float64Array): void {
  for (let pass = 0; pass < 4; pass++) {
    const c00 = m[4] * m[8] - m[5] * m[7];
    const c01 = m[5] * m[6] - m[3] * m[8];
    const c02 = m[3] * m[7] - m[4] * m[6];
    const half = 0.5 / (m[0] * c00 + m[1] * c01 + m[2] * c02);
    const c10 = m[2] * m[7] - m[1] * m[8];
    const c11 = m[0] * m[8] - m[2] * m[6];
    const c12 = m[1] * m[6] - m[0] * m[7];
    const c20 = m[1] * m[5] - m[2] * m[4];
    const c21 = m[2] * m[3] - m[0] * m[5];
    const c22 = m[0] * m[4] - m[1] * m[3];
    m[0] = 0.5 * m[0] + half * c00;
    m[1] = 0.5 * m[1] + half * c01;
    m[2] = 0.5 * m[2] + half * c02;
    m[3] = 0.5 * m[3] + half * c10;
    m[4] = 0.5 * m[4] + half * c11;
    m[5] = 0.5 * m[5] + half * c12;
    m[6] = 0.5 * m[6] + half * c20;
    m[7] = 0.5 * m[7] + half * c21;
    m[8] = 0.5 * m[8] + half * c22;
  }
}

/**
 * Samples the phantom through an anatomy. Tensors turn with the local rotation of the mapping (finite strain,
 * Alexander 2001, IEEE Trans Med Imaging 20:1131), so that fibres follow their tract and MD and FA stay what they are.
 * @param change fall of MD on the phantom's lattice, see {@link changeMap}
 */
export function sampleHead(
  phantom: Phantom,
  anatomy: Anatomy,
  change: Float32Array,
  grid: Grid,
  voxelToHead: Matrix4,
): Head {
  const n = voxelCount(grid);
  const template = templateCoordinates(anatomy, grid, voxelToHead);
  const s0 = new Float32Array(n);
  const brain = new Float32Array(n);
  const tensor = new Float32Array(6 * n);
  const dims = phantom.grid.dims;
  const lattice = voxelCount(phantom.grid);
  const maps = [0, 1, 2, 3, 4, 5].map((e) => phantom.tensor.subarray(e * lattice, (e + 1) * lattice));
  const w = invert(phantom.grid.affine);
  const inverse = invert(grid.affine);
  const stride = [1, grid.dims[0], grid.dims[0] * grid.dims[1]];
  const d = new Float64Array(6);
  const r = new Float64Array(9);
  const full = new Float64Array(9);
  for (let o = 0; o < n; o++) {
    const x = w[0] * template[o] + w[3];
    const y = w[5] * template[n + o] + w[7];
    const z = w[10] * template[2 * n + o] + w[11];
    s0[o] = sampleLinear(phantom.s0, dims, x, y, z);
    if (s0[o] < 1) {
      s0[o] = 0;
      continue;
    }
    brain[o] = sampleLinear(phantom.brain, dims, x, y, z) >= 0.5 ? 1 : 0;
    for (let e = 0; e < 6; e++) d[e] = sampleLinear(maps[e], dims, x, y, z);
    const md = (d[0] + d[3] + d[5]) / 3;
    const target = anatomy.mdFactor * md - sampleLinear(change, dims, x, y, z);
    const scale = md > 0 ? target / md : 0;
    for (let e = 0; e < 6; e++) d[e] *= scale;
    // r = d(template) / d(world) = d(template) / d(voxel) . d(voxel) / d(world)
    r.fill(0);
    for (let a = 0; a < 3; a++) {
      const next = o + stride[a] < n ? o + stride[a] : o;
      const last = o >= stride[a] ? o - stride[a] : o;
      const step = (next - last) / stride[a];
      for (let row = 0; row < 3; row++) {
        const slope = (template[row * n + next] - template[row * n + last]) / step;
        for (let c = 0; c < 3; c++) r[3 * row + c] += slope * inverse[4 * a + c];
      }
    }
    nearestRotation(r);
    // D(world) = R' D(template) R
    full[0] = d[0];
    full[1] = full[3] = d[1];
    full[2] = full[6] = d[2];
    full[4] = d[3];
    full[5] = full[7] = d[4];
    full[8] = d[5];
    for (let a = 0, e = 0; a < 3; a++)
      for (let b = a; b < 3; b++, e++) {
        let sum = 0;
        for (let p = 0; p < 3; p++)
          for (let q = 0; q < 3; q++) sum += r[3 * p + a] * full[3 * p + q] * r[3 * q + b];
        tensor[e * n + o] = sum;
      }
  }
  return { s0, tensor, brain, template };
}

/** A subject lying in the scanner: where the head is, and how the operator laid the field of view. */
export interface Position {
  readonly grid: Grid;
  readonly voxelToHead: Matrix4;
}

/** Field of view in mm along the voxel axes: a whole head. */
export const FIELD_OF_VIEW = [186, 222, 162] as const;

/** Draws a head position and a field of view tilted with it; dims are even, as topup's schedule wants. */
export function drawPosition(random: RandomStream, voxelMm: number, orientation: 'LAS' | 'RAS'): Position {
  const [x, y, z] = HEAD_CENTRE;
  const draw = (sd: number) => sd * random.normal();
  const turn = rotation(draw(0.06), draw(0.03), draw(0.04));
  const headToWorld = chain(translation(draw(3), draw(4), draw(4)), turn, translation(-x, -y, -z));
  const dims = FIELD_OF_VIEW.map((mm) => 2 * Math.ceil(mm / voxelMm / 2)) as [number, number, number];
  const [cx, cy, cz] = transformPoint(headToWorld, x, y, z);
  const affine = chain(
    translation(cx + draw(1.5), cy + draw(1.5), cz + draw(1.5)),
    turn,
    rotation(draw(0.03), draw(0.02), draw(0.02)),
    scaling(orientation === 'LAS' ? -voxelMm : voxelMm, voxelMm, voxelMm),
    translation(-(dims[0] - 1) / 2, -(dims[1] - 1) / 2, -(dims[2] - 1) / 2),
  );
  const grid = { dims, voxelSizes: [voxelMm, voxelMm, voxelMm] as const, affine };
  return { grid, voxelToHead: chain(invert(headToWorld), affine) };
}

/** The anatomy of a named subject of a seeded cohort. */
export function anatomyOf(seed: number, subject: string, variation: number): Anatomy {
  return drawAnatomy(randomStream(seed, subject, 'anatomy'), variation);
}
