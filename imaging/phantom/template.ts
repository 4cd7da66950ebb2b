/**
 * The phantom in template space: maps of signal and diffusion tensor, brain mask, FA template and the seven regions of
 * the trial, all on the lattice of the MNI152 2 mm template (stored radiologically), padded so that a tilted field of
 * view never looks beyond the head's cut edge.
 */
import { multiply, translation } from '../affine.ts';
import { type Dims, type Grid, gridFromAffine, type Image, voxelCount } from '../image.ts';
import { type Tissue, tissueAt } from './anatomy.ts';
import { buildRegions, type Regions } from './regions.ts';
import { fibreField } from './tracts.ts';

/** Mean diffusivity in mm2/s, T2-weighted signal in arbitrary units and anisotropy, per tissue. */
export const TISSUES = {
  white: { md: 0.75e-3, s0: 420, anisotropy: 0.7 },
  grey: { md: 0.85e-3, s0: 540, anisotropy: 0.06 },
  csf: { md: 3e-3, s0: 1150, anisotropy: 0 },
  skull: { md: 0.6e-3, s0: 25, anisotropy: 0 },
  scalp: { md: 0.6e-3, s0: 170, anisotropy: 0 },
} as const;

/** The phantom; every map is on `grid`, x fastest. */
export interface Phantom {
  /** Padded lattice on which the maps live. */
  readonly grid: Grid;
  /** Signal at b = 0. */
  readonly s0: Float32Array;
  /** Diffusion tensor in mm2/s, RAS+ world axes: volumes Dxx Dxy Dxz Dyy Dyz Dzz. */
  readonly tensor: Float32Array;
  /** 1 in the brain (sulci and ventricles included). */
  readonly brain: Float32Array;
  readonly regions: Regions;
  /** The template's own lattice: 91 x 109 x 91 of 2 mm, as MNI152_2mm. */
  readonly templateGrid: Grid;
}

const TEMPLATE_DIMS: Dims = [91, 109, 91];
const PAD: Dims = [6, 6, 12];

/** Trace / 3 of the tensors of a 6-volume map. */
export function meanDiffusivity(tensor: Float32Array): Float32Array {
  const n = tensor.length / 6;
  const out = new Float32Array(n);
  for (let o = 0; o < n; o++) out[o] = (tensor[o] + tensor[3 * n + o] + tensor[5 * n + o]) / 3;
  return out;
}

/** Fractional anisotropy of the tensors of a 6-volume map (Basser & Pierpaoli 1996, J Magn Reson B 111:209). */
export function fractionalAnisotropy(tensor: Float32Array): Float32Array {
  const n = tensor.length / 6;
  const out = new Float32Array(n);
  for (let o = 0; o < n; o++) {
    const [xx, xy, xz] = [tensor[o], tensor[n + o], tensor[2 * n + o]];
    const [yy, yz, zz] = [tensor[3 * n + o], tensor[4 * n + o], tensor[5 * n + o]];
    const off = 2 * (xy * xy + xz * xz + yz * yz);
    const norm = xx * xx + yy * yy + zz * zz + off;
    const mean = (xx + yy + zz) / 3;
    const spread = (xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + off;
    out[o] = norm > 0 ? Math.sqrt((1.5 * spread) / norm) : 0;
  }
  return out;
}

/** Part of a padded map that lies on the template's lattice. */
export function onTemplate(phantom: Phantom, map: Float32Array): Image {
  const [nx, ny, nz] = TEMPLATE_DIMS;
  const [px, py] = phantom.grid.dims;
  const data = new Float32Array(nx * ny * nz);
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++) {
      const from = PAD[0] + px * (j + PAD[1] + py * (k + PAD[2]));
      data.set(map.subarray(from, from + nx), nx * (j + ny * k));
    }
  return { grid: phantom.templateGrid, volumes: 1, data };
}

/** FA where there is brain, 0 elsewhere: the registration target, as FMRIB58_FA is. */
export function templateFa(phantom: Phantom): Image {
  const fa = fractionalAnisotropy(phantom.tensor);
  return onTemplate(
    phantom,
    fa.map((value, o) => value * phantom.brain[o]),
  );
}

/** Builds the phantom: about two seconds of CPU and 60 MB. It has no randomness: every cohort shares it. */
export function buildPhantom(): Phantom {
  const templateGrid = gridFromAffine(
    TEMPLATE_DIMS,
    Float64Array.of(-2, 0, 0, 90, 0, 2, 0, -126, 0, 0, 2, -72, 0, 0, 0, 1),
  );
  const grid = gridFromAffine(
    [TEMPLATE_DIMS[0] + 2 * PAD[0], TEMPLATE_DIMS[1] + 2 * PAD[1], TEMPLATE_DIMS[2] + 2 * PAD[2]],
    multiply(templateGrid.affine, translation(-PAD[0], -PAD[1], -PAD[2])),
  );
  const n = voxelCount(grid);
  const [nx, ny, nz] = grid.dims;
  const m = grid.affine;
  const fractions = { white: new Float32Array(n), grey: new Float32Array(n), csf: new Float32Array(n) };
  const bone = new Float32Array(n);
  const skin = new Float32Array(n);
  const depth = new Float32Array(n);
  const fromCsf = new Float32Array(n);
  const tissue: Tissue = { white: 0, grey: 0, csf: 0, skull: 0, scalp: 0, depth: 0, fromCsf: 0 };
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        tissueAt(m[0] * i + m[3], m[5] * j + m[7], m[10] * k + m[11], tissue);
        fractions.white[o] = tissue.white;
        fractions.grey[o] = tissue.grey;
        fractions.csf[o] = tissue.csf;
        bone[o] = tissue.skull;
        skin[o] = tissue.scalp;
        depth[o] = tissue.depth;
        fromCsf[o] = tissue.fromCsf;
      }

  const { dyadic, weight } = fibreField(grid);
  const s0 = new Float32Array(n);
  const brain = new Float32Array(n);
  const tensor = new Float32Array(6 * n);
  const share = new Float64Array(6);
  const normal = new Float64Array(3);
  const stride = [1, nx, nx * ny];
  for (let o = 0; o < n; o++) {
    const [white, grey, csf] = [fractions.white[o], fractions.grey[o], fractions.csf[o]];
    const [skull, scalp] = [bone[o], skin[o]];
    s0[o] =
      white * TISSUES.white.s0 +
      grey * TISSUES.grey.s0 +
      csf * TISSUES.csf.s0 +
      skull * TISSUES.skull.s0 +
      scalp * TISSUES.scalp.s0;
    brain[o] = depth[o] > 0 ? 1 : 0;
    const total = white + grey + csf + skull + scalp;
    if (total < 1e-4) {
      // Air: a harmless isotropic tensor, so that interpolation at the skin stays physical.
      tensor[o] = tensor[3 * n + o] = tensor[5 * n + o] = TISSUES.scalp.md;
      continue;
    }
    // Outward normal of the brain's hull: fibres without a tract, and the cortex, run along it.
    let length = 0;
    for (let a = 0; a < 3; a++) {
      const inGrid = o - stride[a] >= 0 && o + stride[a] < n;
      normal[a] = inGrid ? (depth[o + stride[a]] - depth[o - stride[a]]) * Math.sign(m[5 * a]) : 0;
      length += normal[a] * normal[a];
    }
    length = Math.sqrt(length) || 1;
    for (let a = 0, e = 0; a < 3; a++)
      for (let b = a; b < 3; b++, e++) share[e] = (normal[a] * normal[b]) / (length * length);
    const tracts = weight[o];
    const sum = tracts + 0.35;
    const isotropic =
      (white * TISSUES.white.md * (1 - TISSUES.white.anisotropy) +
        grey * TISSUES.grey.md * (1 - TISSUES.grey.anisotropy) +
        csf * TISSUES.csf.md +
        skull * TISSUES.skull.md +
        scalp * TISSUES.scalp.md) /
      total;
    const fibrous = (3 * white * TISSUES.white.md * TISSUES.white.anisotropy) / total;
    const radial = (3 * grey * TISSUES.grey.md * TISSUES.grey.anisotropy) / total;
    for (let e = 0; e < 6; e++) {
      const diagonal = e === 0 || e === 3 || e === 5 ? 1 : 0;
      // Of the background's weight, a third runs along the normal, the rest in all directions.
      const mean = (dyadic[e * n + o] + 0.11 * share[e] + 0.08 * diagonal) / sum;
      tensor[e * n + o] = isotropic * diagonal + fibrous * mean + radial * share[e];
    }
  }
  const solid = new Float32Array(n);
  for (let o = 0; o < n; o++) solid[o] = fractions.white[o] + fractions.grey[o];
  return {
    grid,
    s0,
    tensor,
    brain,
    regions: buildRegions(grid, solid, depth, fromCsf),
    templateGrid,
  };
}
