/** Neighbourhood operations on one volume. */
import type { Dims } from '../../../imaging/image.ts';

/** Zeroes every non-zero voxel that has a zero voxel in its 3 x 3 x 3 neighbourhood; beyond the grid counts as nothing. */
export function erode(data: Float32Array, dims: Dims): Float32Array {
  const out = new Float32Array(data);
  forEachNeighbourhood(dims, (centre, neighbours, count) => {
    if (data[centre] === 0) return;
    for (let i = 0; i < count; i++) if (data[neighbours[i]] === 0) out[centre] = 0;
  });
  return out;
}

/** Gives every zero voxel the mean of the non-zero voxels in its 3 x 3 x 3 neighbourhood; others keep their value. */
export function dilateMean(data: Float32Array, dims: Dims): Float32Array {
  const out = new Float32Array(data);
  forEachNeighbourhood(dims, (centre, neighbours, count) => {
    if (data[centre] !== 0) return;
    let [sum, n] = [0, 0];
    for (let i = 0; i < count; i++)
      if (data[neighbours[i]] !== 0) {
        sum += data[neighbours[i]];
        n++;
      }
    if (n > 0) out[centre] = sum / n;
  });
  return out;
}

function forEachNeighbourhood(
  [nx, ny, nz]: Dims,
  visit: (centre: number, neighbours: Int32Array, count: number) => void,
): void {
  const neighbours = new Int32Array(26);
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++) {
        const centre = i + nx * (j + ny * k);
        let count = 0;
        for (let c = Math.max(0, k - 1); c <= Math.min(nz - 1, k + 1); c++)
          for (let b = Math.max(0, j - 1); b <= Math.min(ny - 1, j + 1); b++)
            for (let a = Math.max(0, i - 1); a <= Math.min(nx - 1, i + 1); a++) {
              const o = a + nx * (b + ny * c);
              if (o !== centre) neighbours[count++] = o;
            }
        visit(centre, neighbours, count);
      }
}

/**
 * Labels 6-connected components of equal truth.
 * @param inside n; non-zero is the foreground
 * @returns per voxel its component's number from 1, whether foreground or not; and each component's size and whether it
 *   touches the edge of the grid (index 0 unused)
 */
export function components(
  inside: ArrayLike<number>,
  [nx, ny, nz]: Dims,
): { labels: Int32Array; sizes: number[]; touchesEdge: boolean[] } {
  const labels = new Int32Array(nx * ny * nz);
  const stack = new Int32Array(nx * ny * nz);
  const sizes = [0];
  const touchesEdge = [false];
  for (let seed = 0; seed < labels.length; seed++) {
    if (labels[seed] !== 0) continue;
    const label = sizes.length;
    const truth = inside[seed] !== 0;
    let [top, size, edge] = [1, 0, false];
    stack[0] = seed;
    labels[seed] = label;
    const push = (o: number) => {
      if (labels[o] !== 0 || (inside[o] !== 0) !== truth) return;
      labels[o] = label;
      stack[top++] = o;
    };
    while (top > 0) {
      const o = stack[--top];
      size++;
      const i = o % nx;
      const j = Math.floor(o / nx) % ny;
      const k = Math.floor(o / (nx * ny));
      if (i === 0 || j === 0 || k === 0 || i === nx - 1 || j === ny - 1 || k === nz - 1) edge = true;
      if (i > 0) push(o - 1);
      if (i < nx - 1) push(o + 1);
      if (j > 0) push(o - nx);
      if (j < ny - 1) push(o + nx);
      if (k > 0) push(o - nx * ny);
      if (k < nz - 1) push(o + nx * ny);
    }
    sizes.push(size);
    touchesEdge.push(edge);
  }
  return { labels, sizes, touchesEdge };
}

/** Sets to 1 what of the background does not reach the edge of the grid (6-connected). */
export function fillHoles(data: Float32Array, dims: Dims): Float32Array {
  const { labels, touchesEdge } = components(data, dims);
  return data.map((value, i) => (value === 0 && !touchesEdge[labels[i]] ? 1 : value));
}
