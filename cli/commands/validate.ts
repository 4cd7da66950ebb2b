import type { Command } from 'commander';
import { discoverSession } from '../../activities/bids/session.ts';
import { toFailure } from '../../activities/failures.ts';
import type { Failure } from '../../pipeline/failures.ts';
import { EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument } from '../options.ts';
import { output } from '../output.ts';
import { planRun, requireStudy } from '../study.ts';

export function register(program: Command): void {
  program
    .command('validate')
    .description(
      'Checks the study file, then every subject: sessions, images, gradient tables, sidecars. Reads every image once; nothing is processed.',
    )
    .addArgument(studyArgument())
    .option('--participant-label <label...>', 'only these subjects, with or without sub-')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md validate study.yaml\n  delta-md validate study.yaml --participant-label 01\n\nExit codes: 0 all is well, 1 some subjects cannot be processed, 2 the study file is wrong',
    )
    .action(async (file: string, options: { participantLabel?: string[]; json?: boolean }) => {
      const out = output(options.json);
      const study = await requireStudy(file);
      const { plan, rows } = await planRun(study, options);
      const failures: Failure[] = [];
      const notes: { subject: string; note: string }[] = [];
      for (const { subject, status, why } of rows) {
        if (status === 'excluded') {
          out.say(`– ${subject} excluded: ${why}`);
          continue;
        }
        const before = failures.length;
        for (const { label } of study.sessions)
          try {
            const input = await discoverSession(study, subject, label, plan.directions);
            for (const note of input.notes) notes.push({ subject, note });
          } catch (error) {
            failures.push(toFailure(error, { subject, session: label ?? undefined }));
          }
        out.say(failures.length === before ? `✓ ${subject}` : `✗ ${subject}`);
        for (const { session, code, message, remedy } of failures.slice(before))
          out.say(`    ${session ? `ses-${session}: ` : ''}${code}: ${message}\n    ${remedy}`);
      }
      for (const note of new Set(notes.map((entry) => entry.note))) out.say(`note: ${note}`);
      out.result({
        study: study.study,
        subjects: rows.map(({ subject, group, why }) => ({ subject, group, excluded: why })),
        failures,
        notes,
      });
      process.exitCode = failures.length > 0 ? EXIT.someFailed : EXIT.done;
    });
}
