/** What the sidecars beside a subject's derivatives say: units, model, space, and what each file was made from. */
import type { Study } from '../config/study.ts';
import type { SubjectMaps } from '../pipeline/protocol.ts';
import type { FileRef } from '../pipeline/step.ts';
import { bidsUri, changeOutput, isScan, sessionOutputs } from './outputs.ts';
import { recordsBehind } from './provenance.ts';

/** Fields of a sidecar, by the names of BIDS and of BEP016 (diffusion derivatives). */
export type About = Readonly<Record<string, unknown>>;

/** How the tensor was fitted; `ols` and `wls` are reserved by BEP016. */
export function tensorModel({ dtifitFlags }: Study['profile']): About {
  return {
    Description: 'Diffusion Tensor',
    Parameters: { FitMethod: dtifitFlags.includes('--wls') ? 'wls' : 'ols' },
  };
}

/** Scans of the raw dataset that a result goes back to, sorted. */
async function scansBehind(study: Study, result: FileRef): Promise<string[]> {
  const inputs = (await recordsBehind([result])).flatMap(({ inputs }) => Object.values(inputs));
  const scans = [result, ...inputs].map(({ path }) => path).filter((path) => isScan(study, path));
  return [...new Set(scans)].sort();
}

/** Sidecars of a subject, by the path of the image they belong to. */
export async function subjectSidecars(
  study: Study,
  subject: string,
  maps: SubjectMaps,
): Promise<ReadonlyMap<string, About>> {
  const about = new Map<string, About>();
  const from = (...paths: string[]) => ({ Sources: paths.map((path) => bidsUri(study, path)) });
  const Model = tensorModel(study.profile);
  const onTemplate = { SpatialReference: bidsUri(study, study.template) };
  const [first, second] = maps.sessions.map(({ session }) => sessionOutputs(study, subject, session));
  for (const one of maps.sessions) {
    const at = sessionOutputs(study, subject, one.session);
    const tensor = { Model, SkullStripped: true, ...from(at.dwi, at.bval, at.bvec, at.mask) };
    about.set(at.fa, { Description: 'Fractional anisotropy', ...tensor });
    about.set(at.md, { Description: 'Mean diffusivity', Units: 'mm^2/s', ...tensor });
    about.set(at.s0, {
      Description: 'Signal without diffusion weighting',
      Units: 'arbitrary',
      ...tensor,
    });
    about.set(at.mask, {
      Description: 'Brain mask',
      Type: 'Brain',
      SpatialReference: bidsUri(study, at.dwi),
      ...from(...(await scansBehind(study, one.mask))),
    });
    about.set(at.dwi, {
      Description: 'Diffusion series corrected for distortion, eddy currents and motion',
      SkullStripped: false,
      ...from(...(await scansBehind(study, one.dwi))),
    });
    const transforms = one === maps.sessions[0] ? [first.warp] : [at.toBaseline, first.warp];
    about.set(at.mdInTemplate, {
      Description: 'Mean diffusivity in template space, one interpolation',
      Units: 'mm^2/s',
      ...onTemplate,
      Model,
      SkullStripped: true,
      ...from(at.md, ...transforms),
    });
    about.set(at.maskInTemplate, {
      Description: 'Brain mask in template space, nearest neighbour',
      Type: 'Brain',
      ...onTemplate,
      ...from(at.mask, ...transforms),
    });
  }
  about.set(first.faInTemplate, {
    Description: 'Fractional anisotropy in template space, as registered',
    ...onTemplate,
    Model,
    SkullStripped: true,
    ...from(first.fa, first.warp),
  });
  if (second)
    about.set(changeOutput(study, subject), {
      Description: 'dMD = MD(baseline) - MD(follow-up), zero where either session has no data',
      Units: 'mm^2/s',
      ...onTemplate,
      Model,
      SkullStripped: true,
      ...from(first.mdInTemplate, second.mdInTemplate, first.maskInTemplate, second.maskInTemplate),
    });
  return about;
}

/** Data dictionary of a session's table of regions. */
export const SCALARSTATS_MEANING: About = {
  node: { Description: 'Name of the region' },
  index: { Description: 'Its number in the label image' },
  scalar: { Description: 'Map that was averaged; md: mean diffusivity' },
  mean: { Description: 'Mean over the voxels with data', Units: 'mm^2/s' },
  stdev: { Description: 'Standard deviation over them', Units: 'mm^2/s' },
  median: { Description: 'Median over them', Units: 'mm^2/s' },
  voxels: { Description: 'Voxels of the region' },
  voxels_with_data: { Description: 'Those of them that lie in the brain mask and have a value' },
  coverage: { Description: 'voxels_with_data / voxels, 0 to 1' },
  flagged: { Description: 'true: below the coverage the study asks for, left out of the statistics' },
};
