import { access, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { DEMO_COHORT } from '../../imaging/phantom/index.ts';
import { rosterOf } from '../../pipeline/roster.ts';
import { cpusOption, JSON_OPTION, memoryOption } from '../options.ts';
import { clock, output } from '../output.ts';
import { resultLines } from '../results.ts';
import { conclude, runToEnd, startCohort } from '../run-cohort.ts';
import { simulateStudy } from '../simulated-study.ts';
import { planRun, requireStudy } from '../study.ts';

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'Simulates a small two-session trial with known truth, runs it as a study of your own would run (embedded Temporal, built-in tools), and shows tables, statistics, and how well the truth came out. Stopped in between, it resumes.',
    )
    .option('--dir <folder>', 'where to keep it', './delta-md-demo')
    .addOption(cpusOption())
    .addOption(memoryOption())
    .option('--fresh', 'remove an earlier demo first')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md demo\n  delta-md demo --dir /tmp/demo --fresh\n\nExit codes: 0 done, 1 some subjects failed, 3 infrastructure',
    )
    .action(async (options: { dir: string; nCpus?: number; fresh?: boolean; json?: boolean }) => {
      const out = output(options.json);
      const started = Date.now();
      const folder = resolve(options.dir);
      if (options.fresh) await rm(folder, { recursive: true, force: true });
      const file = join(folder, 'study.yaml');
      const exists = await access(file).then(
        () => true,
        () => false,
      );
      if (!exists) {
        await rm(join(folder, 'bids'), { recursive: true, force: true });
        out.say(`Simulating a trial in ${folder} ...`);
        await simulateStudy(folder, 'demo', DEMO_COHORT, (fraction, message) =>
          out.say(`[${String(Math.floor(100 * fraction)).padStart(3)} %] ${message}`),
        );
      }
      const study = await requireStudy(file);
      const { plan, rows } = await planRun(study, { nCpus: options.nCpus });
      const result = await runToEnd(plan, options, out, (host) =>
        startCohort(host, { plan, roster: rosterOf(rows) }),
      );
      for (const line of await resultLines(study.output)) out.say(line);
      out.say();
      process.exitCode = await conclude(result, study.output, out);
      out.say(`Took ${clock((Date.now() - started) / 1000)}. Everything is in ${folder}`);
    });
}
