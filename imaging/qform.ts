/**
 * The NIfTI standard's qform ("method 2"): a rotation as a unit quaternion (a, b, c, d) with a >= 0 left out, voxel
 * sizes, an offset, and qfac for left-handed axes.
 */
import type { Matrix4 } from './affine.ts';
import type { Grid } from './image.ts';

/**
 * Quaternion to affine.
 * @param q b, c, d  @param pixdim the header's pixdim: qfac (negative: third axis flipped), then mm per voxel
 * @param offset world mm of voxel (0, 0, 0)
 */
export function qformAffine(
  [b, c, d]: readonly [number, number, number],
  pixdim: ArrayLike<number>,
  offset: readonly [number, number, number],
): Matrix4 {
  const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)));
  const [dx, dy, dz] = [pixdim[1], pixdim[2], pixdim[3] * (pixdim[0] < 0 ? -1 : 1)];
  const r = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
  const rows = r.map((row, i) => [row[0] * dx, row[1] * dy, row[2] * dz, offset[i]]);
  return Float64Array.from([...rows.flat(), 0, 0, 0, 1]);
}

/** Unit quaternion (b, c, d) and handedness of an affine's rotation; shears are dropped, as the standard allows. */
export function quaternionOf(grid: Grid): { q: [number, number, number]; qfac: number } {
  const col = (c: number) => {
    const v = [grid.affine[c], grid.affine[4 + c], grid.affine[8 + c]];
    const n = Math.hypot(...v);
    return v.map((x) => x / n);
  };
  const [x, y] = [col(0), col(1)];
  let z = col(2);
  const det =
    x[0] * (y[1] * z[2] - z[1] * y[2]) -
    y[0] * (x[1] * z[2] - z[1] * x[2]) +
    z[0] * (x[1] * y[2] - y[1] * x[2]);
  const qfac = det < 0 ? -1 : 1;
  z = z.map((v) => v * qfac);
  const r = [
    [x[0], y[0], z[0]],
    [x[1], y[1], z[1]],
    [x[2], y[2], z[2]],
  ];
  const trace = r[0][0] + r[1][1] + r[2][2] + 1;
  let [a, b, c, d] = [0, 0, 0, 0];
  if (trace > 0.5) {
    a = 0.5 * Math.sqrt(trace);
    b = (0.25 * (r[2][1] - r[1][2])) / a;
    c = (0.25 * (r[0][2] - r[2][0])) / a;
    d = (0.25 * (r[1][0] - r[0][1])) / a;
  } else {
    const [xd, yd, zd] = [
      1 + r[0][0] - r[1][1] - r[2][2],
      1 + r[1][1] - r[0][0] - r[2][2],
      1 + r[2][2] - r[0][0] - r[1][1],
    ];
    if (xd > 1) {
      b = 0.5 * Math.sqrt(xd);
      c = (0.25 * (r[0][1] + r[1][0])) / b;
      d = (0.25 * (r[0][2] + r[2][0])) / b;
      a = (0.25 * (r[2][1] - r[1][2])) / b;
    } else if (yd > 1) {
      c = 0.5 * Math.sqrt(yd);
      b = (0.25 * (r[0][1] + r[1][0])) / c;
      d = (0.25 * (r[1][2] + r[2][1])) / c;
      a = (0.25 * (r[0][2] - r[2][0])) / c;
    } else {
      d = 0.5 * Math.sqrt(zd);
      b = (0.25 * (r[0][2] + r[2][0])) / d;
      c = (0.25 * (r[1][2] + r[2][1])) / d;
      a = (0.25 * (r[1][0] - r[0][1])) / d;
    }
    if (a < 0) [b, c, d] = [-b, -c, -d];
  }
  return { q: [b, c, d], qfac };
}
