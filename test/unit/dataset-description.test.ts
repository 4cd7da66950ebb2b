/** What the output folder says of the tools that made it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeDataset, toolsUsed } from '../../activities/dataset-description.ts';
import { writeJsonInto } from '../../activities/derivatives.ts';
import { bidsUri } from '../../activities/outputs.ts';
import { tensorModel } from '../../activities/sidecars.ts';
import { PROFILES } from '../../config/profiles.ts';
import type { Study } from '../../config/study.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md-description-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const step = (program: string, runtime: string, version: string, digest: string) => ({
  argv: [program],
  runtime,
  tool: { version, digest },
});

async function described(runtime: Study['runtime'], output: string, steps: readonly object[]) {
  const study = {
    study: 'trial',
    bids: join(root, 'bids'),
    output,
    runtime,
    profile: PROFILES.modern,
  } as unknown as Study;
  await writeJsonInto(join(output, 'logs', 'sub-01_steps.json'), steps);
  await describeDataset(study, '1.2.3', await toolsUsed(output, ['sub-01', 'sub-02']));
  return JSON.parse(await readFile(join(output, 'dataset_description.json'), 'utf8'));
}

it('names the image of containers, its digest, and both versions where two made one cohort', async () => {
  const image = 'lab/fsl:6.0.7';
  const about = await described({ kind: 'docker', image }, join(root, 'elsewhere'), [
    step('topup', 'docker', 'FSL 6.0.7', 'sha256:aa topup'),
    step('eddy', 'docker', 'FSL 6.0.7', 'sha256:aa eddy'),
    step('bet', 'process', 'FSL 5.0.9', 'sha256:bb'),
  ]);
  expect(about.GeneratedBy).toMatchObject([
    { Name: 'delta-md', Version: '1.2.3' },
    {
      Name: 'eddy, topup',
      Version: 'FSL 6.0.7',
      Container: { Type: 'docker', Tag: image, URI: `docker://${image}`, Digest: 'sha256:aa' },
    },
    { Name: 'bet', Version: 'FSL 5.0.9' },
  ]);
  expect(about.GeneratedBy[2].Container).toBeUndefined();
  // The folder lies outside the raw dataset, so no relative path leads there from wherever it is moved.
  expect(about.DatasetLinks.raw).toMatch(/^file:\/\/.*\/bids$/);
});

it('names SIF files, and leaves out an image that the study no longer names', async () => {
  const steps = [step('eddy', 'apptainer', 'FSL 6.0.7', 'sha256:cc')];
  const inside = join(root, 'bids', 'derivatives', 'delta-md');
  const about = await described({ kind: 'apptainer', image: '/images/fsl.sif', roots: [] }, inside, steps);
  expect(about.GeneratedBy[1].Container).toEqual({
    Type: 'apptainer',
    URI: 'file:///images/fsl.sif',
    Digest: 'sha256:cc',
  });
  expect(about.DatasetLinks.raw).toBe(join('..', '..'));
  const changed = await described({ kind: 'podman', image: 'x:1', roots: [] }, inside, steps);
  expect(changed.GeneratedBy[1].Container).toEqual({ Type: 'apptainer', Digest: 'sha256:cc' });
});

it('URIs start at the outputs, else at the raw dataset, else at the root; the fit is that of the flags', () => {
  const study = { bids: '/data/raw', output: '/data/raw/derivatives/delta-md' } as Study;
  expect(bidsUri(study, '/data/raw/derivatives/delta-md/sub-01/x.nii.gz')).toBe('bids::sub-01/x.nii.gz');
  expect(bidsUri(study, '/data/raw/sub-01/x.nii.gz')).toBe('bids:raw:sub-01/x.nii.gz');
  expect(bidsUri(study, '/data/raw-2/a b.nii.gz')).toBe('file:///data/raw-2/a%20b.nii.gz');
  const fit = (dtifitFlags: string[]) => tensorModel({ ...PROFILES.modern, dtifitFlags })['Parameters'];
  expect(fit(['--wls'])).toEqual({ FitMethod: 'wls' });
  expect(fit(['--sse'])).toEqual({ FitMethod: 'ols' });
});
