/** Rotation-invariant maps of a field of tensors. */
import { eigen3, eigenSymmetric3 } from './eigen.ts';

/** Maps by FSL's suffix; V1 to V3 hold x, y, z one volume after the other. */
export interface TensorMaps {
  readonly FA: Float32Array;
  readonly MD: Float32Array;
  readonly MO: Float32Array;
  readonly L1: Float32Array;
  readonly L2: Float32Array;
  readonly L3: Float32Array;
  readonly V1: Float32Array;
  readonly V2: Float32Array;
  readonly V3: Float32Array;
}

/**
 * Fractional anisotropy (Basser & Pierpaoli 1996), mean diffusivity, mode (Ennis & Kindlmann 2006, MRM 55:136),
 * eigenvalues L1 >= L2 >= L3 in mm2/s, unit eigenvectors.
 *
 * Eigenvalues are kept as fitted, negative ones too, as FSL does: cutting them off would bias MD upwards where noise
 * is high. So MD may be negative, and FA reach sqrt(3/2). A tensor of zeros gives zeros, also in V1 to V3.
 * @param tensor Dxx, Dxy, Dxz, Dyy, Dyz, Dzz, n voxels each
 */
export function tensorMaps(
  tensor: Float32Array,
  onProgress: (fraction: number) => void = () => {},
): TensorMaps {
  const n = tensor.length / 6;
  const scalar = () => new Float32Array(n);
  const vector = () => new Float32Array(3 * n);
  const [FA, MD, MO, L1, L2, L3] = [scalar(), scalar(), scalar(), scalar(), scalar(), scalar()];
  const [V1, V2, V3] = [vector(), vector(), vector()];
  const e = eigen3();
  for (let i = 0; i < n; i++) {
    if (i % 65536 === 0) onProgress(i / n);
    const [xx, yy, zz] = [tensor[i], tensor[3 * n + i], tensor[5 * n + i]];
    if (xx === 0 && yy === 0 && zz === 0) continue;
    eigenSymmetric3(xx, tensor[n + i], tensor[2 * n + i], yy, tensor[4 * n + i], zz, e);
    const [a, b, c] = e.values;
    const square = a * a + b * b + c * c;
    const spread = ((a - b) ** 2 + (b - c) ** 2 + (c - a) ** 2) / 2;
    FA[i] = Math.sqrt(spread / square);
    MD[i] = (xx + yy + zz) / 3;
    // Isotropic to rounding: no mode.
    if (spread > 1e-20 * square)
      MO[i] = Math.max(
        -1,
        Math.min(1, ((a + b - 2 * c) * (2 * a - b - c) * (a - 2 * b + c)) / (2 * spread ** 1.5)),
      );
    L1[i] = a;
    L2[i] = b;
    L3[i] = c;
    for (let k = 0; k < 3; k++) {
      V1[k * n + i] = e.vectors[k];
      V2[k * n + i] = e.vectors[3 + k];
      V3[k * n + i] = e.vectors[6 + k];
    }
  }
  return { FA, MD, MO, L1, L2, L3, V1, V2, V3 };
}
