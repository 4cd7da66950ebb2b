import type { Command } from 'commander';
import { discoverSession } from '../../activities/bids/session.ts';
import { type BidsVerdict, officialVerdict } from '../../activities/bids/validator.ts';
import { toFailure } from '../../activities/failures.ts';
import { studyOf } from '../../activities/plan.ts';
import type { Failure } from '../../pipeline/failures.ts';
import { EXIT } from '../exit-codes.ts';
import { filterOption, JSON_OPTION, studyArgument } from '../options.ts';
import { output } from '../output.ts';
import { planRun, requireStudy } from '../study.ts';

interface Options {
  participantLabel?: string[];
  sessionLabel?: string;
  bidsFilterFile?: string;
  skipBidsValidation?: boolean;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('validate')
    .description(
      'Checks the study file, then the dataset by the official BIDS validator where one is on PATH, then every subject: sessions, images, gradient tables, sidecars. Reads every image once; nothing is processed.',
    )
    .addArgument(studyArgument())
    .option('--participant-label <label...>', 'only these subjects, with or without sub-')
    .option('--session-label <label>', 'only this session')
    .addOption(filterOption())
    .option('--skip-bids-validation', 'leave the official BIDS validator out')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md validate study.yaml\n  delta-md validate study.yaml --participant-label 01\n\nExit codes: 0 all is well, 1 some subjects cannot be processed or the dataset is no valid BIDS, 2 the study file is wrong',
    )
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      const { plan, rows } = await planRun(await requireStudy(file), options);
      const study = await studyOf(plan);
      const verdict = options.skipBidsValidation ? undefined : await officialVerdict(study.bids);
      if (!options.skipBidsValidation) for (const line of verdictLines(verdict)) out.say(line);
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
        bids: verdict ?? null,
        subjects: rows.map(({ subject, group, why }) => ({ subject, group, excluded: why })),
        failures,
        notes,
      });
      const isSound = failures.length === 0 && (verdict?.errors ?? []).length === 0;
      process.exitCode = isSound ? EXIT.done : EXIT.someFailed;
    });
}

function verdictLines(verdict: BidsVerdict | undefined): string[] {
  if (!verdict)
    return ['– no BIDS validator on PATH (pip install bids-validator-deno): BIDS itself is not checked'];
  const { validator, errors } = verdict;
  if (!errors) return [`– ${validator} gave no answer that can be read: BIDS itself is not checked`];
  if (errors.length === 0) return [`✓ BIDS (${validator})`];
  return [
    `✗ BIDS (${validator}); --skip-bids-validation leaves it out`,
    ...errors.map(
      ({ code, count, first }) => `    ${code}: ${count} ${count === 1 ? 'file' : 'files'}, such as ${first}`,
    ),
  ];
}
