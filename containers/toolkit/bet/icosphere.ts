/** A triangulated sphere: an icosahedron whose faces are split in four, again and again. */

/** A closed surface; triangles turn anticlockwise seen from outside. */
export interface Mesh {
  /** x, y, z of each vertex. */
  readonly points: Float64Array;
  /** Three vertex numbers per triangle. */
  readonly triangles: Int32Array;
  /** Vertex v's neighbours are `neighbours[firstNeighbour[v]]` up to `firstNeighbour[v + 1]`. */
  readonly firstNeighbour: Int32Array;
  readonly neighbours: Int32Array;
}

const PHI = (1 + Math.sqrt(5)) / 2;
const CORNERS = [
  [-1, PHI, 0],
  [1, PHI, 0],
  [-1, -PHI, 0],
  [1, -PHI, 0],
  [0, -1, PHI],
  [0, 1, PHI],
  [0, -1, -PHI],
  [0, 1, -PHI],
  [PHI, 0, -1],
  [PHI, 0, 1],
  [-PHI, 0, -1],
  [-PHI, 0, 1],
];
// biome-ignore format: one face per triple
const FACES = [
  0, 11, 5, 0, 5, 1, 0, 1, 7, 0, 7, 10, 0, 10, 11, 1, 5, 9, 5, 11, 4, 11, 10, 2, 10, 7, 6, 7, 1, 8,
  3, 9, 4, 3, 4, 2, 3, 2, 6, 3, 6, 8, 3, 8, 9, 4, 9, 5, 2, 4, 11, 6, 2, 10, 8, 6, 7, 9, 8, 1,
];

/** A unit sphere around the origin; `splits` = 4 gives 2562 vertices and 5120 triangles. */
export function icosphere(splits: number): Mesh {
  const points = CORNERS.map(onSphere);
  let faces = FACES;
  for (let split = 0; split < splits; split++) {
    const middles = new Map<string, number>();
    const middle = (a: number, b: number) => {
      const key = a < b ? `${a},${b}` : `${b},${a}`;
      let m = middles.get(key);
      if (m === undefined) {
        m = points.push(onSphere(points[a].map((x, c) => x + points[b][c]))) - 1;
        middles.set(key, m);
      }
      return m;
    };
    const finer: number[] = [];
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = faces.slice(f, f + 3);
      const [ab, bc, ca] = [middle(a, b), middle(b, c), middle(c, a)];
      finer.push(a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca);
    }
    faces = finer;
  }
  // Each edge is seen once in either direction: the followers of a vertex within its triangles are its neighbours.
  const next: number[][] = points.map(() => []);
  for (let f = 0; f < faces.length; f += 3)
    for (let c = 0; c < 3; c++) next[faces[f + c]].push(faces[f + ((c + 1) % 3)]);
  const firstNeighbour = new Int32Array(points.length + 1);
  for (const [v, list] of next.entries()) firstNeighbour[v + 1] = firstNeighbour[v] + list.length;
  return {
    points: Float64Array.from(points.flat()),
    triangles: Int32Array.from(faces),
    firstNeighbour,
    neighbours: Int32Array.from(next.flat()),
  };
}

function onSphere(p: readonly number[]): number[] {
  const norm = Math.hypot(...p);
  return p.map((x) => x / norm);
}
