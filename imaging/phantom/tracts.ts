/**
 * White-matter tracts of the phantom: curves through control points, spread into smooth fields of fibre direction.
 * MNI-like mm; tracts given for the right side are mirrored to the left.
 */
import { invert, transformPoint } from '../affine.ts';
import { type Grid, voxelCount } from '../image.ts';
import { curve, type Point } from './shapes.ts';

interface Tract {
  readonly points: readonly Point[];
  /** Standard deviation of its cross-section in mm. */
  readonly radius: number;
  /** Peak weight against other tracts. */
  readonly weight: number;
}

// biome-ignore format: a table of points
/** Callosal fibres cross the midline in x at a place on this arch, then rise or sweep to the cortex. */
const CALLOSAL: readonly (readonly Point[])[] = [
  [[4, 28, -3], [10, 34, -5], [20, 52, -6]],
  [[4, 31, 5], [10, 38, 6], [20, 58, 8]],
  [[4, 28, 13], [12, 38, 18], [22, 54, 28]],
  [[4, 20, 20], [14, 25, 25], [26, 36, 46]],
  [[4, 10, 24], [15, 12, 29], [28, 18, 56]],
  [[4, -2, 27], [16, -2, 33], [30, 0, 60]],
  [[4, -13, 27.5], [17, -14, 34], [32, -16, 62]],
  [[4, -24, 26], [18, -27, 33], [32, -34, 60]],
  [[4, -33, 21], [18, -42, 28], [30, -58, 48]],
  [[4, -38, 13], [16, -50, 16], [26, -72, 26]],
  [[4, -38, 7], [16, -54, 6], [20, -84, 4]],
];

// biome-ignore format: a table of points
const RIGHT: readonly Tract[] = [
  // Corticospinal tract: a fan of the motor cortex through the internal capsule, peduncle, pons, medulla.
  ...[
    [12, -28, 66],
    [26, -22, 62],
    [40, -14, 50],
  ].map(
    ([x, y, z]): Tract => ({
      points: [[x, y, z], [25, -18, 28], [21, -13, 8], [15, -17, -10], [7, -25, -28], [5, -36, -54], [4, -44, -100]],
      radius: 3.6,
      weight: 1.2,
    }),
  ),
  // Anterior thalamic radiation and anterior limb of the internal capsule.
  { points: [[12, -12, 9], [19, 8, 8], [23, 30, 6], [24, 50, 6]], radius: 3.2, weight: 0.9 },
  // Superior and posterior thalamic radiations.
  { points: [[16, -18, 10], [24, -8, 24], [30, 8, 44]], radius: 3.2, weight: 0.7 },
  { points: [[17, -22, 10], [26, -30, 24], [34, -44, 44]], radius: 3.2, weight: 0.7 },
  // Optic radiation.
  { points: [[23, -24, -1], [36, -28, 1], [36, -52, 4], [26, -72, 4], [14, -88, 2]], radius: 3, weight: 1.1 },
  // Superior longitudinal fascicle and its arcuate branch.
  { points: [[36, 34, 22], [37, 14, 29], [37, -14, 31], [37, -40, 32], [40, -62, 26]], radius: 3.2, weight: 1 },
  { points: [[42, 16, 20], [40, -12, 28], [40, -40, 24], [46, -48, 6], [50, -26, -10]], radius: 3, weight: 0.9 },
  // Inferior longitudinal and inferior fronto-occipital fascicles.
  { points: [[26, -84, -4], [40, -52, -8], [44, -22, -18], [38, 6, -28]], radius: 3, weight: 0.9 },
  { points: [[26, -80, 8], [36, -46, 6], [34, -8, -6], [30, 22, -6], [26, 48, 0]], radius: 3, weight: 0.9 },
  // Uncinate fascicle.
  { points: [[38, 8, -30], [34, 6, -12], [28, 18, -9], [20, 36, -12]], radius: 2.8, weight: 0.9 },
  // Cingulum: around the callosum into the parahippocampal gyrus.
  { points: [[7, 34, -4], [8, 40, 8], [9, 30, 24], [9, 10, 34], [9, -20, 37], [9, -40, 30], [12, -50, 12], [20, -42, -8], [24, -24, -26]], radius: 2.3, weight: 1.1 },
  // Cerebellar peduncles: middle (from the pons), superior.
  { points: [[0, -22, -32], [14, -28, -34], [22, -44, -36], [26, -66, -38]], radius: 4, weight: 1.1 },
  { points: [[4, -26, -14], [6, -40, -22], [12, -56, -32]], radius: 2.5, weight: 0.8 },
];

function mirrored(tract: Tract): Tract {
  return { ...tract, points: tract.points.map(([x, y, z]): Point => [-x, y, z]) };
}

function allTracts(): Tract[] {
  const callosum: Tract[] = [];
  // Rows of the table and their midpoints: a sheet without gaps.
  for (let row = 0; row <= CALLOSAL.length - 1; row += 0.5) {
    const [a, b] = [CALLOSAL[Math.floor(row)], CALLOSAL[Math.ceil(row)]];
    const right = a.map(
      (p, i): Point => [0, 1, 2].map((c) => (p[c] + b[i][c]) / 2) as [number, number, number],
    );
    callosum.push({
      points: [...right.map(([x, y, z]): Point => [-x, y, z]).reverse(), ...right],
      radius: 3,
      weight: 1,
    });
  }
  return [...callosum, ...RIGHT.flatMap((tract) => [tract, mirrored(tract)])];
}

/** Fibre fields on a grid. */
export interface FibreField {
  /** Weighted mean of the dyadics t t' of nearby fibres: xx xy xz yy yz zz, one volume after the other; trace x `weight`. */
  readonly dyadic: Float32Array;
  /** Total weight of nearby tracts; 0 far from all. */
  readonly weight: Float32Array;
}

/** Spreads every tract over `grid` with a Gaussian cross-section. */
export function fibreField(grid: Grid): FibreField {
  const n = voxelCount(grid);
  const dyadic = new Float32Array(6 * n);
  const weight = new Float32Array(n);
  const worldToVoxel = invert(grid.affine);
  // Nearest approach of the current tract per voxel: a tract counts once, by its closest point.
  const nearest = new Float32Array(n).fill(Infinity);
  const tangent = new Float32Array(3 * n);
  const [nx, ny, nz] = grid.dims;
  const m = grid.affine;
  for (const tract of allTracts()) {
    const points = curve(tract.points, 1.5);
    const reach = 3 * tract.radius;
    const touched: number[] = [];
    for (let s = 0; s + 1 < points.length; s++) {
      const [p, q] = [points[s], points[s + 1]];
      const step = [q[0] - p[0], q[1] - p[1], q[2] - p[2]];
      const length = Math.hypot(...step);
      const [cx, cy, cz] = transformPoint(worldToVoxel, ...p);
      const box = [cx, cy, cz].map((c, a) => {
        const r = reach / grid.voxelSizes[a];
        return [Math.max(0, Math.ceil(c - r)), Math.min([nx, ny, nz][a] - 1, Math.floor(c + r))];
      });
      for (let k = box[2][0]; k <= box[2][1]; k++)
        for (let j = box[1][0]; j <= box[1][1]; j++)
          for (let i = box[0][0]; i <= box[0][1]; i++) {
            const dx = m[0] * i + m[1] * j + m[2] * k + m[3] - p[0];
            const dy = m[4] * i + m[5] * j + m[6] * k + m[7] - p[1];
            const dz = m[8] * i + m[9] * j + m[10] * k + m[11] - p[2];
            const squared = dx * dx + dy * dy + dz * dz;
            const o = i + nx * (j + ny * k);
            if (squared >= nearest[o] || squared > reach * reach) continue;
            if (nearest[o] === Infinity) touched.push(o);
            nearest[o] = squared;
            for (let c = 0; c < 3; c++) tangent[3 * o + c] = step[c] / length;
          }
    }
    for (const o of touched) {
      const w = tract.weight * Math.exp(-nearest[o] / (2 * tract.radius ** 2));
      nearest[o] = Infinity;
      weight[o] += w;
      let e = 0;
      for (let a = 0; a < 3; a++)
        for (let b = a; b < 3; b++, e++) dyadic[e * n + o] += w * tangent[3 * o + a] * tangent[3 * o + b];
    }
  }
  return { dyadic, weight };
}
