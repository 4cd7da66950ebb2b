/**
 * Anatomy of the phantom's head: what tissue lies at a point. MNI-like coordinates: RAS+ mm, origin near the anterior
 * commissure. Left and right mirror each other.
 */
import { ellipsoid, inside, type Point, smoothIntersection, smoothUnion, tube } from './shapes.ts';

/** Fractions of a small volume; they add up to 1 (the rest is air). */
export interface Tissue {
  white: number;
  /** Cortex and deep grey nuclei. */
  grey: number;
  csf: number;
  skull: number;
  scalp: number;
  /** Depth below the brain's hull in mm; negative outside the brain. */
  depth: number;
  /** Distance from the nearest cerebrospinal fluid in mm, sulci included; negative within it. */
  fromCsf: number;
}

const VENTRICLE_BODY: readonly Point[] = [
  [7, 28, 4],
  [8, 20, 11],
  [11, 0, 19],
  [15, -22, 20],
  [24, -40, 12],
];
const TEMPORAL_HORN: readonly Point[] = [
  [24, -40, 12],
  [34, -36, -2],
  [36, -18, -14],
];
const STEM_AXIS: readonly Point[] = [
  [0, -18, -8],
  [0, -26, -28],
  [0, -38, -58],
  [0, -44, -110],
];
const CAUDATE: readonly Point[] = [
  [13, 16, 3],
  [15, 4, 15],
  [19, -14, 21],
];
/** Long axis of the hippocampus (positive x: right). */
export const HIPPOCAMPUS: readonly Point[] = [
  [24, -18, -18],
  [26, -26, -12],
  [29, -36, -4],
];
export const HIPPOCAMPUS_RADII = [6.5, 5] as const;
/** An ellipsoid in mm. Constants: a literal in a call would be a new array for every point of the lattice. */
interface Body {
  readonly centre: Point;
  readonly radii: Point;
}
export const AMYGDALA: Body = { centre: [24, 1, -17], radii: [9.5, 8.5, 9] };
const CEREBELLUM: Body = { centre: [22, -63, -36], radii: [32, 29, 23] };
const CEREBRUM: Body = { centre: [0, -17, 12], radii: [69, 89, 68] };
const TEMPORAL_LOBE: Body = { centre: [42, -16, -19], radii: [25, 42, 25] };
const THIRD_VENTRICLE: Body = { centre: [0, -12, 0], radii: [2.4, 14, 9] };
const FOURTH_VENTRICLE: Body = { centre: [0, -44, -32], radii: [5, 4, 9] };
const THALAMUS: Body = { centre: [11.5, -17, 7], radii: [8.5, 14, 9] };
const LENTIFORM: Body = { centre: [25.5, 4, 1], radii: [5.5, 16, 10] };

/** Spatial frequency of the gyri: sulci, the sheets where a gyroid is zero, lie half a period (17 mm) apart. */
const FOLD = (2 * Math.PI) / 34;
const CORTEX_MM = 3.4;
const SULCUS_DEPTH_MM = 13;

function cerebellumAt(ax: number, y: number, z: number): number {
  return ellipsoid(ax, y, z, CEREBELLUM.centre, CEREBELLUM.radii);
}

/** Signed distance to the brain's hull (smooth, bridging the sulci). */
function hull(ax: number, x: number, y: number, z: number): number {
  const cerebrum = smoothIntersection(
    ellipsoid(x, y, z, CEREBRUM.centre, CEREBRUM.radii),
    -22 + 0.12 * (y + 17) - z,
    14,
  );
  const temporal = ellipsoid(ax, y, z, TEMPORAL_LOBE.centre, TEMPORAL_LOBE.radii);
  const stem = tube(x, y, z, STEM_AXIS, 17, 8);
  return smoothUnion(smoothUnion(smoothUnion(cerebrum, temporal, 10), cerebellumAt(ax, y, z), 5), stem, 8);
}

/** Tissue at a point, in mm. `out` is overwritten: no allocation. */
export function tissueAt(x: number, y: number, z: number, out: Tissue): void {
  const ax = Math.abs(x);
  const depth = -hull(ax, x, y, z);
  out.depth = depth;
  if (depth < -24) {
    out.white = out.grey = out.csf = out.skull = out.scalp = 0;
    out.fromCsf = -24;
    return;
  }
  // Outside the brain: fluid 3 mm, skull 6 mm, scalp 6 mm.
  const brain = inside(-depth, 0.7);
  const head = [inside(-3 - depth, 0.8), inside(-9 - depth, 0.8), inside(-15 - depth, 0.8)];
  out.scalp = head[2] - head[1];
  out.skull = head[1] - head[0];

  // Sulci reach a limited depth and spare the deep brain and the brainstem.
  const [fx, fy, fz] = [FOLD * (x + 5), FOLD * (y + 4), FOLD * (z + 2)];
  const gyroid = Math.sin(fx) * Math.cos(fy) + Math.sin(fy) * Math.cos(fz) + Math.sin(fz) * Math.cos(fx);
  const core = Math.sqrt(((y + 8) / 50) ** 2 + ((z - 4) / 28) ** 2);
  const sulcus =
    Math.abs(gyroid) / (1.4 * FOLD) -
    0.7 +
    1.2 * Math.max(0, depth - SULCUS_DEPTH_MM) +
    14 * Math.max(0, 1 - Math.max(core, ax / 32));
  // The cleft between the hemispheres, closed where the corpus callosum and the deep brain cross the midline.
  const cleft = ax - 0.9 + 40 * Math.max(0, 1 - core) + 2 * Math.max(0, -18 - z);
  const tentorium = Math.abs(cerebellumAt(ax, y, z)) - 0.7 + Math.max(0, -16 - z - 0.4 * (y + 60));
  const stem = tube(x, y, z, STEM_AXIS, 18, 14);
  const fromCsf = Math.min(depth, Math.min(sulcus, cleft, tentorium) + 2 * Math.max(0, 4 - stem));

  const ventricles = Math.min(
    tube(ax, y, z, VENTRICLE_BODY, 4, 6.5),
    tube(ax, y, z, TEMPORAL_HORN, 6, 2),
    ellipsoid(x, y, z, THIRD_VENTRICLE.centre, THIRD_VENTRICLE.radii),
    ellipsoid(x, y, z, FOURTH_VENTRICLE.centre, FOURTH_VENTRICLE.radii),
  );
  out.fromCsf = Math.min(fromCsf, ventricles);
  const nuclei = Math.min(
    ellipsoid(ax, y, z, THALAMUS.centre, THALAMUS.radii),
    tube(ax, y, z, CAUDATE, 6.5, 3),
    ellipsoid(ax, y, z, LENTIFORM.centre, LENTIFORM.radii),
    ellipsoid(ax, y, z, AMYGDALA.centre, AMYGDALA.radii),
    tube(ax, y, z, HIPPOCAMPUS, HIPPOCAMPUS_RADII[0], HIPPOCAMPUS_RADII[1]),
  );
  const stemWhite = inside(stem - 4, 1.5);
  const fluid = Math.max(inside(fromCsf, 0.6), inside(ventricles, 0.6));
  const cortex = inside(fromCsf - CORTEX_MM, 0.7) * (1 - stemWhite);
  const greyShare = Math.max(cortex, inside(nuclei, 0.7) * (depth > 0 ? 1 : 0));
  out.csf = head[0] - brain * (1 - fluid);
  out.grey = brain * (1 - fluid) * greyShare;
  out.white = brain * (1 - fluid) * (1 - greyShare);
}
