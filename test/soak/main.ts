/**
 * `npm run soak [-- --minutes 30] [--seed 1]`: a cohort of stand-in tools under random faults, with a tally in the end.
 * Lost subjects, and steps computed twice though their result was sound, must be none.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { cohortWorkflow } from '../../workflows/index.ts';
import {
  delay,
  deltaMd,
  journal,
  makeStudy,
  type Running,
  removeStudy,
  start,
  waitFor,
} from '../integration/harness.ts';
import { freePort, type Server, startServer } from '../integration/server.ts';
import { FAULTS, type Rig } from './faults.ts';

const option = (name: string, usual: number) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? Number(process.argv[at + 1]) : usual;
};
const minutes = option('--minutes', 30);
let state = option('--seed', 1);
/** Park and Miller's generator: the order of the faults can be had again by its seed. */
const random = (n: number) => {
  state = (state * 48_271) % 2_147_483_647;
  return state % n;
};

const WORKERS = 2;
/** More than two cores process in a minute, so that the cohort lasts as long as the faults. */
const SUBJECTS_A_MINUTE = 12;

const study = await makeStudy(Math.ceil(minutes * SUBJECTS_A_MINUTE), 'resources: { subjectsAtOnce: 3 }\n');
const ports = { grpc: await freePort(), ui: await freePort() };
const place = { database: join(study.root, 'temporal.db'), ports };
let server: Server = await startServer(place);
const address = ['--temporal-address', server.address];
let crew: Running[] = [];
const rig: Rig = {
  study,
  address,
  workers: () => (crew = crew.filter(({ child }) => child.exitCode === null && child.signalCode === null)),
  addWorker: () => void crew.push(start('worker', ...address, '--grace', '3')),
  async restartServer(downMs) {
    await server.stop();
    await sleep(downMs);
    server = await startServer(place);
  },
  random,
};

const tally = new Map<string, number>();
const started = Date.now();
const clock = () => `${((Date.now() - started) / 60_000).toFixed(1)} min`;
try {
  await delay(study, { eddy: 1500, topup: 700, fsl_reg: 700 });
  for (let i = 0; i < WORKERS; i++) rig.addWorker();
  const cohort = server.client.workflow.getHandle('test/cohort');
  start('run', study.file, ...address);
  await waitFor(async () => (await cohort.describe().catch(() => undefined)) !== undefined);
  const status = async () => {
    const handle = server.client.workflow.getHandle('test/cohort');
    return (await handle.describe().catch(() => undefined))?.status.name ?? 'UNKNOWN';
  };
  const names = Object.keys(FAULTS);
  while (Date.now() - started < minutes * 60_000 && ['RUNNING', 'UNKNOWN'].includes(await status())) {
    await sleep(3000 + random(12_000));
    const name = names[random(names.length)];
    console.error(`${clock()}  ${name}`);
    await FAULTS[name](rig);
    tally.set(name, (tally.get(name) ?? 0) + 1);
  }
  console.error(`${clock()}  no more faults; the cohort may end`);
  await delay(study, {});
  while (rig.workers().length < WORKERS) rig.addWorker();
  await waitFor(
    async () => !['RUNNING', 'UNKNOWN'].includes(await status()),
    async () => 'the cohort does not end',
    3600,
  );

  const result = await server.client.workflow.getHandle<typeof cohortWorkflow>('test/cohort').result();
  // Results that were damaged after their last reader had them are found by whoever reads them next.
  const again = await deltaMd('run', study.file, ...address);
  if (again.code !== 0) throw new Error(`the run that reads all again failed: ${again.stderr}`);
  const entries = await journal(study);
  const damaged = new Map<string, number>();
  const computed = new Map<string, number>();
  for (const { event, key } of entries)
    if (event === 'computed') computed.set(key, (computed.get(key) ?? 0) + 1);
    else if (event === 'damaged') damaged.set(key, (damaged.get(key) ?? 0) + 1);
  const twice = [...computed].filter(([key, times]) => times > 1 + (damaged.get(key) ?? 0)).length;
  const { done, failed, excluded } = result.counts;
  const lost = failed + excluded;
  for (const [name, times] of tally) console.log(`${name.padEnd(28)} ${times}`);
  console.log(`${'subjects done'.padEnd(28)} ${done}`);
  console.log(`${'subjects lost'.padEnd(28)} ${lost}`);
  console.log(`${'steps computed'.padEnd(28)} ${computed.size}`);
  console.log(`${'steps computed twice'.padEnd(28)} ${twice}`);
  console.log(`${'damaged results remade'.padEnd(28)} ${damaged.size}`);
  console.log(`${'minutes'.padEnd(28)} ${((Date.now() - started) / 60_000).toFixed(1)}`);
  process.exitCode = lost + twice === 0 ? 0 : 1;
} finally {
  for (const { child } of crew) child.kill('SIGKILL');
  await server.stop();
  await removeStudy(study);
}
