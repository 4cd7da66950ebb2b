/** What all container runtimes agree on. */

/** Working folder inside a container. */
export const WORK = '/work';
/** Processes and threads a container may have. */
export const PIDS_LIMIT = 512;

/** Every container of this product carries it, so that leftovers can be found: `docker ps --filter label=delta-md`. */
export const LABEL = 'delta-md';

export interface ContainerOptions {
  /** Folder of FSL inside the image, for images that do not set FSLDIR and PATH themselves. */
  readonly fslDir?: string;
  /** True: tools that have a CUDA variant use it, with the machine's GPUs. */
  readonly gpu?: boolean;
  /** Folders on the host that input files must lie in, links resolved; without any, every file is accepted. */
  readonly roots?: readonly string[];
}

/** All that a tool's environment holds beside what its image sets. */
export function toolEnvironment(cpus: number, fslDir?: string): Record<string, string> {
  return {
    LANG: 'C.UTF-8',
    FSLOUTPUTTYPE: 'NIFTI_GZ',
    OMP_NUM_THREADS: String(cpus),
    ...(fslDir
      ? { FSLDIR: fslDir, USER: 'delta-md', PATH: `${fslDir}/bin:/usr/local/bin:/usr/bin:/bin` }
      : {}),
  };
}
