/** Signed distances (mm, negative inside) to the simple bodies of which the phantom's anatomy is made. */

export type Point = readonly [number, number, number];

/** Approximate signed distance to an axis-parallel ellipsoid (first order: exact on the surface and for spheres). */
export function ellipsoid(x: number, y: number, z: number, centre: Point, radii: Point): number {
  const a = (x - centre[0]) / radii[0];
  const b = (y - centre[1]) / radii[1];
  const c = (z - centre[2]) / radii[2];
  const scaled = Math.sqrt(a * a + b * b + c * c);
  const gradient = Math.sqrt((a / radii[0]) ** 2 + (b / radii[1]) ** 2 + (c / radii[2]) ** 2);
  // At the very centre the quotient is 0 / 0; the distance there is the least radius.
  return gradient < 1e-9 ? -Math.min(radii[0], radii[1], radii[2]) : (scaled * (scaled - 1)) / gradient;
}

/** Signed distance to a chain of segments whose radius runs from `r0` at its start to `r1` at its end. */
export function tube(
  x: number,
  y: number,
  z: number,
  points: readonly Point[],
  r0: number,
  r1: number,
): number {
  let best = Infinity;
  const segments = points.length - 1;
  for (let s = 0; s < segments; s++) {
    const p = points[s];
    const q = points[s + 1];
    const dx = q[0] - p[0];
    const dy = q[1] - p[1];
    const dz = q[2] - p[2];
    const along = ((x - p[0]) * dx + (y - p[1]) * dy + (z - p[2]) * dz) / (dx * dx + dy * dy + dz * dz);
    const t = Math.min(1, Math.max(0, along));
    const distance =
      Math.sqrt((x - p[0] - t * dx) ** 2 + (y - p[1] - t * dy) ** 2 + (z - p[2] - t * dz) ** 2) -
      (r0 + ((r1 - r0) * (s + t)) / segments);
    if (distance < best) best = distance;
  }
  return best;
}

/** Union of two bodies whose seam is rounded over `k` mm (polynomial smooth minimum). */
export function smoothUnion(a: number, b: number, k: number): number {
  const h = Math.max(0, k - Math.abs(a - b)) / k;
  return Math.min(a, b) - 0.25 * h * h * k;
}

/** Intersection of two bodies with a seam rounded over `k` mm. */
export function smoothIntersection(a: number, b: number, k: number): number {
  return -smoothUnion(-a, -b, k);
}

/** 1 well inside a body, 0 well outside, 0.5 at its surface; logistic of `width` mm. */
export function inside(distance: number, width: number): number {
  return 1 / (1 + Math.exp(distance / width));
}

/** Points along a Catmull-Rom curve through `controls`, about `step` mm apart. */
export function curve(controls: readonly Point[], step: number): Point[] {
  const out: Point[] = [];
  const at = (i: number) => controls[Math.max(0, Math.min(controls.length - 1, i))];
  for (let s = 0; s + 1 < controls.length; s++) {
    const [p0, p1, p2, p3] = [at(s - 1), at(s), at(s + 1), at(s + 2)];
    const n = Math.max(1, Math.round(Math.hypot(p2[0] - p1[0], p2[1] - p1[1], p2[2] - p1[2]) / step));
    for (let i = 0; i < n; i++) {
      const t = i / n;
      const component = (c: 0 | 1 | 2) =>
        0.5 *
        (2 * p1[c] +
          (p2[c] - p0[c]) * t +
          (2 * p0[c] - 5 * p1[c] + 4 * p2[c] - p3[c]) * t * t +
          (3 * p1[c] - p0[c] - 3 * p2[c] + p3[c]) * t * t * t);
      out.push([component(0), component(1), component(2)]);
    }
  }
  out.push(controls[controls.length - 1]);
  return out;
}
