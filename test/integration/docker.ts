/** The Docker engine of this machine, or a loud reason why a test does without it. */
import Docker from 'dockerode';

export async function dockerEngine(): Promise<Docker | undefined> {
  const docker = new Docker();
  try {
    await docker.ping();
    return docker;
  } catch (error) {
    console.warn(`\n*** SKIPPED: no Docker engine on this machine (${(error as Error).message}). ***\n`);
    // CI has one: there, doing without would hide a failure.
    if (process.env['CI']) throw new Error('CI must have a Docker engine', { cause: error });
    return undefined;
  }
}
