/** The tools of the toolkit by FSL's names. */

import { applytopup } from './applytopup/index.ts';
import { applywarp } from './applywarp/index.ts';
import { bet } from './bet/index.ts';
import { convertXfm } from './convert_xfm/index.ts';
import { convertwarp } from './convertwarp/index.ts';
import { dtifit } from './dtifit/index.ts';
import { eddy } from './eddy/index.ts';
import { flirt } from './flirt/index.ts';
import { fnirt } from './fnirt/index.ts';
import { fslReg } from './fsl_reg/index.ts';
import { fslmaths } from './fslmaths/index.ts';
import { fslmerge } from './fslmerge/index.ts';
import { fslroi } from './fslroi/index.ts';
import { invwarp } from './invwarp/index.ts';
import { mcflirt } from './mcflirt/index.ts';
import type { Tool } from './tool.ts';
import { topup } from './topup/index.ts';

export const tools: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  [fslReg.name, fslReg],
  [fnirt.name, fnirt],
  [applywarp.name, applywarp],
  [convertwarp.name, convertwarp],
  [invwarp.name, invwarp],
  [bet.name, bet],
  [dtifit.name, dtifit],
  [eddy.name, eddy],
  [fslmaths.name, fslmaths],
  [fslmerge.name, fslmerge],
  [fslroi.name, fslroi],
  [convertXfm.name, convertXfm],
  [flirt.name, flirt],
  [mcflirt.name, mcflirt],
  [applytopup.name, applytopup],
  [topup.name, topup],
]);
