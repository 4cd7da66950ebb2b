/** dtifit: a diffusion tensor in every voxel of a mask. */
import { readGradients } from '../../../imaging/gradients.ts';
import { sameGrid } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { loadImage } from '../files.ts';
import { type Tool, ToolError } from '../tool.ts';
import { determinesTensor, fitTensor } from './fit.ts';
import { tensorMaps } from './maps.ts';

export const dtifit: Tool<
  'data' | 'mask' | 'bvecs' | 'bvals' | 'out' | 'wls' | 'sse' | 'tensor' | 'verbose'
> = {
  name: 'dtifit',
  summary: 'fits a diffusion tensor in every voxel of a mask.',
  usage: 'dtifit -k <data> -m <mask> -r <bvecs> -b <bvals> -o <basename> [--wls] [--sse] [--save_tensor]',
  flags: {
    data: {
      names: ['-k', '--data'],
      value: 'file',
      required: true,
      help: 'diffusion-weighted volumes (4-D)',
    },
    mask: { names: ['-m', '--mask'], value: 'file', required: true, help: 'voxels to fit' },
    bvecs: { names: ['-r', '--bvecs'], value: 'file', required: true, help: 'b vectors' },
    bvals: { names: ['-b', '--bvals'], value: 'file', required: true, help: 'b values, s/mm2' },
    out: { names: ['-o', '--out'], value: 'basename', required: true, help: 'stem of the output names' },
    wls: { names: ['--wls'], help: 'weight each log signal by the square of the measured signal' },
    sse: { names: ['--sse'], help: 'also write the sum of squared errors of the signal' },
    tensor: { names: ['--save_tensor'], help: 'also write the tensor: Dxx Dxy Dxz Dyy Dyz Dzz' },
    verbose: { names: ['-V', '--verbose'], help: 'say how many voxels had unusable signals' },
  },

  async run(options, progress) {
    const [dataName, maskName] = [options.get('data') ?? '', options.get('mask') ?? ''];
    progress(0, 'reading');
    const image = await loadImage(dataName);
    const mask = await loadImage(maskName);
    if (mask.volumes !== 1 || !sameGrid(mask.grid, image.grid))
      throw new ToolError(`${maskName}: is not on the grid of ${dataName}. Make the mask from this image.`);
    const gradients = await readGradients(
      options.get('bvals') ?? '',
      options.get('bvecs') ?? '',
      image.volumes,
      dataName,
    );
    if (!determinesTensor(gradients))
      throw new ToolError(
        `${options.get('bvecs')}: these gradients do not determine a tensor. It takes at least six directions and a volume of another b value, such as b = 0.`,
      );
    const fit = fitTensor(image.data, mask.data, gradients, options.has('wls'), (f) =>
      progress(0.1 + 0.5 * f, 'fitting'),
    );
    if (fit.voxels === 0) throw new ToolError(`${maskName}: is empty. Check the brain extraction.`);
    if (fit.failed === fit.voxels)
      throw new ToolError(`${dataName}: no voxel of the mask has enough positive signals for a fit.`);
    if (options.has('verbose'))
      process.stdout.write(
        `${fit.voxels} voxels; ${fit.incomplete} with unusable signals in some volume, ${fit.failed} of them without a tensor\n`,
      );
    const maps = tensorMaps(fit.tensor, (f) => progress(0.6 + 0.1 * f, 'eigenvalues'));
    const outputs: [suffix: string, data: Float32Array][] = [...Object.entries(maps), ['S0', fit.s0]];
    if (options.has('sse')) outputs.push(['sse', fit.sse]);
    if (options.has('tensor')) outputs.push(['tensor', fit.tensor]);
    for (const [i, [suffix, data]] of outputs.entries()) {
      progress(0.7 + (0.3 * i) / outputs.length, `writing ${suffix}`);
      const volumes = data.length / mask.data.length;
      await writeImage(`${options.get('out')}_${suffix}.nii.gz`, { grid: image.grid, volumes, data });
    }
    progress(1, 'done');
  },
};
