// npm run stack: brings docker-compose.yml up for real, takes a cohort through it while its parts are killed, and takes
// it down. Public images where they can be had, else (or with --local-images) stand-ins made on this machine.
import { execa } from 'execa';
import { findCompose } from './stack/compose.mjs';
import { images, pullPublic } from './stack/images.mjs';

const say = (message) => console.log(message);
const local = process.argv.includes('--local-images') || !(await pullPublic(say));
const env = {
  ...(await images(local, say)),
  STACK_COMPOSE: JSON.stringify(await findCompose(say)),
};
const { exitCode } = await execa(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/stack'], {
  env,
  stdio: 'inherit',
  reject: false,
});
process.exitCode = exitCode;
