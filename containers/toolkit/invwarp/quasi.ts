import type { Image } from '../../../imaging/image.ts';

/** Mean over a cell of t (1 - t) / 2: how far chords lie from a curve of unit second derivative. */
const MEAN_OFFSET = 1 / 12;

/**
 * The field that stands best for a curved one where it is read linearly between its voxels. A chord lies on the inner
 * side of a curve by 1/12 of its second difference on average; moved back by that, the mean error is 0 and the mean
 * squared error is that of a least-squares fit (quasi-interpolation: Condat, Blu & Unser 2005, Proc IEEE ICIP II-966),
 * for a small error at the voxels themselves.
 */
export function forLinearReading(field: Image): Image {
  const { dims } = field.grid;
  const strides = [1, dims[0], dims[0] * dims[1]];
  const n = dims[0] * dims[1] * dims[2];
  const { data } = field;
  const out = Float32Array.from(data);
  for (let axis = 0; axis < 3; axis++) {
    const stride = strides[axis];
    for (let o = 0; o < n; o++) {
      const i = Math.floor(o / stride) % dims[axis];
      if (i === 0 || i === dims[axis] - 1) continue; // Nothing is known of the curve beyond an edge.
      for (let v = o; v < data.length; v += n)
        out[v] -= MEAN_OFFSET * (data[v - stride] - 2 * data[v] + data[v + stride]);
    }
  }
  return { ...field, data: out };
}
