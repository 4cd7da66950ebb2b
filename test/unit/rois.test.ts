import { describe, expect, it } from 'vitest';
import { derivativePath, labelOf, tsv } from '../../activities/derivatives.ts';
import { roiValues } from '../../activities/rois.ts';

describe('MD by region', () => {
  const labels = Float32Array.of(1, 1, 1, 1, 2, 2, 0, 0);
  const rois = [
    { index: 1, name: 'lBA10' },
    { index: 2, name: 'vACC' },
    { index: 3, name: 'none' },
  ];

  const everywhere = new Float32Array(8).fill(1);

  it('averages voxels with data only, and says how many there are', () => {
    const [first, second, none] = roiValues(
      Float32Array.of(1, 2, 0, Number.NaN, 0, 0, 9, 9),
      everywhere,
      labels,
      rois,
    );
    expect(first).toMatchObject({ mean: 1.5, median: 1.5, voxels: 4, voxelsWithData: 2, coverage: 0.5 });
    expect(first.stdev).toBeCloseTo(Math.SQRT1_2, 12);
    expect(second).toMatchObject({
      mean: null,
      stdev: null,
      median: null,
      voxels: 2,
      voxelsWithData: 0,
      coverage: 0,
    });
    expect(none).toMatchObject({ mean: null, voxels: 0, coverage: 0 });
  });

  it('leaves out voxels beyond the mask, where an interpolated map fades to nothing', () => {
    const mask = Float32Array.of(1, 1, 0, 0, 1, 1, 1, 1);
    expect(roiValues(Float32Array.of(2, 4, 0.1, 0.1, 1, 1, 1, 1), mask, labels, rois)[0]).toMatchObject({
      mean: 3,
      coverage: 0.5,
    });
  });

  it('takes negative diffusivities, which no tissue has, for no data', () => {
    expect(roiValues(Float32Array.of(-1, 2, 2, 2, 0, 0, 0, 0), everywhere, labels, rois)[0]).toMatchObject({
      mean: 2,
      coverage: 0.75,
    });
  });
});

describe('names of derivatives', () => {
  it.each([
    [
      {
        subject: 'sub-01',
        session: '1',
        model: 'tensor',
        param: 'md',
        suffix: 'dwimap',
        extension: '.nii.gz',
      },
      '/out/sub-01/ses-1/dwi/sub-01_ses-1_model-tensor_param-md_dwimap.nii.gz',
    ],
    [
      {
        subject: 'sub-01',
        session: null,
        space: 'FMRIB58FA1mm',
        model: 'tensor',
        param: 'md',
        suffix: 'dwimap',
        extension: '.json',
      },
      '/out/sub-01/dwi/sub-01_space-FMRIB58FA1mm_model-tensor_param-md_dwimap.json',
    ],
    [
      {
        subject: 'sub-01',
        session: '2',
        from: 'dwi',
        to: 'baseline',
        mode: 'image',
        suffix: 'xfm',
        extension: '.mat',
      },
      '/out/sub-01/ses-2/dwi/sub-01_ses-2_from-dwi_to-baseline_mode-image_xfm.mat',
    ],
    [
      {
        subject: 'sub-01',
        session: '1',
        space: 'T',
        segmentation: 'rois',
        suffix: 'scalarstats',
        extension: '.tsv',
      },
      '/out/sub-01/ses-1/dwi/sub-01_ses-1_space-T_seg-rois_scalarstats.tsv',
    ],
  ])('%#', (entities, path) => {
    expect(derivativePath('/out', entities)).toBe(path);
  });

  it('makes entity values of file names', () => {
    expect(labelOf('/x/FMRIB58_FA_1mm.nii.gz')).toBe('FMRIB58FA1mm');
  });

  it('writes n/a where a value is missing, and keeps false and 0', () => {
    expect(tsv(['a', 'b', 'c', 'd'], [{ a: null, b: 0, c: false }])).toBe('a\tb\tc\td\nn/a\t0\tfalse\tn/a\n');
  });
});
