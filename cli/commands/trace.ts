import type { Command } from 'commander';
import { traceOf } from '../../activities/trace.ts';
import { sessionName } from '../../pipeline/study.ts';
import { JSON_OPTION, studyArgument } from '../options.ts';
import { columns, output } from '../output.ts';
import { orSay, requireStudy, withPrefix } from '../study.ts';

const brief = (sha256: string) => sha256.slice(0, 12);

export function register(program: Command): void {
  program
    .command('trace')
    .description(
      'Shows everything behind one regional number: the scans, every command with its tool and version, and the content of every file between.',
    )
    .addArgument(studyArgument())
    .argument('<subject>', 'with or without sub-')
    .argument('<region>', 'as the study file names it')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md trace study.yaml sub-01 lHippocampus
  delta-md trace study.yaml 01 lHippocampus --json > audit.json

Exit codes: 0 done, 2 no such result, or a published file is not the one that was computed`,
    )
    .action(async (file: string, subject: string, region: string, options: { json?: boolean }) => {
      const out = output(options.json);
      const study = await requireStudy(file);
      const traces = await orSay(traceOf(study, withPrefix(subject), region));
      for (const { session, roi, md, coverage, map, steps, scans } of traces) {
        const value = md === null ? 'no data' : `${(md * 1e3).toFixed(5)}e-3 mm2/s`;
        out.say(
          `${sessionName(session)}: MD of ${roi} = ${value}, coverage ${(100 * coverage).toFixed(1)} %`,
        );
        out.say(`  averaged from ${map}`);
        out.say('  read:');
        for (const { path, sha256 } of scans) out.say(`    ${brief(sha256)}  ${path}`);
        out.say('  computed:');
        for (const line of columns(
          steps.map((step) => [
            step.step,
            `${step.seconds.toFixed(1)} s`,
            step.host,
            step.tool.version,
            Object.values(step.outputs)
              .map((made) => brief(made.sha256))
              .join(' '),
          ]),
          ['step', 'time', 'host', 'tool', 'made'],
        ))
          out.say(`    ${line}`);
        out.say('  as commands:');
        for (const step of steps) out.say(`    ${step.argv.join(' ')}`);
        out.say();
      }
      out.result(traces);
    });
}
