import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { publishedSubjects, type Standing, standings } from '../../activities/qc/standing.ts';
import { LEVELS, type Level } from '../../activities/qc/verdicts.ts';
import { isThere } from '../../activities/whole-file.ts';
import type { Study } from '../../config/study.ts';
import type { Verdict } from '../../pipeline/decisions.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { type Output, output } from '../output.ts';
import { decide, outcomeOf, withCohort, worstFirst } from '../review.ts';
import { serveReview } from '../review-page.ts';
import { orSay, requireStudy, withPrefix } from '../study.ts';
import { waitingAt } from '../watch.ts';

interface Options {
  include?: string;
  exclude?: string;
  session?: string;
  reviewer?: string;
  verdicts?: Level[];
  browse?: boolean;
  workDir?: string;
  temporalAddress?: string;
  json?: boolean;
}

/** `warn,exclude` */
function levels(text: string): Level[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !LEVELS.some((level) => level === name));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${LEVELS.join(', ')}.`);
  return LEVELS.filter((level) => names.includes(level));
}

const MARK = { pass: pc.green('pass'), warn: pc.yellow('warn'), exclude: pc.red('exclude') } as const;

function sayTable(all: readonly Standing[], out: Output, pages: ReadonlyMap<string, string>): void {
  for (const one of all) {
    const [outcome, page] = [outcomeOf(one), pages.get(one.subject)];
    out.say(`${one.subject}  ${MARK[one.level]}${outcome ? `  ${outcome}` : ''}`);
    for (const { level, session, why } of one.reasons)
      out.say(`    ${MARK[level]}  ${session ? `ses-${session}: ` : ''}${why}`);
    if (page !== undefined && one.level !== 'pass') out.say(pc.dim(`    ${page}`));
  }
}

/** Addresses of the subjects' pages, of those that have one. */
async function pagesOf(study: Study, all: readonly Standing[]): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for (const { subject } of all) {
    const path = join(study.output, `${subject}.html`);
    if (await isThere(path)) pages.set(subject, pathToFileURL(path).href);
  }
  return pages;
}

/** @throws CommandError where nothing was processed, or a table is wrong */
async function standingsOf(study: Study): Promise<Standing[]> {
  const subjects = await publishedSubjects(study);
  if (subjects.length === 0)
    throw new CommandError('No subject of this study has results yet: delta-md run', EXIT.badInput);
  return orSay(standings(study, subjects));
}

function reviewerOf({ reviewer }: Options): string {
  const who = reviewer ?? process.env['USER'] ?? '';
  if (who.trim() === '') throw new CommandError('Who decides? --reviewer NAME', EXIT.badInput);
  return who;
}

/** The verdict of the command line; undefined where it only asks. */
function verdictOf(subject: string | undefined, options: Options): Verdict | undefined {
  const { include, exclude, session } = options;
  if (include === undefined && exclude === undefined) {
    if (session !== undefined)
      throw new CommandError('--session goes with --include or --exclude.', EXIT.badInput);
    return undefined;
  }
  if (subject === undefined)
    throw new CommandError('Which subject? Name it before --exclude.', EXIT.badInput);
  return {
    subject: withPrefix(subject),
    ...(session === undefined ? {} : { session }),
    decision: include === undefined ? 'exclude' : 'include',
    reason: include ?? exclude ?? '',
    who: reviewerOf(options),
  };
}

export function register(program: Command): void {
  program
    .command('qc')
    .description(
      "Shows what quality control says of every subject with results, worst first, and takes a person's decisions: to include a subject in the statistics or to exclude it. They are kept in qc.tsv beside the outputs and count more than any limit. A cohort that waits for verdicts (qc.gate: review) is told.",
    )
    .addArgument(studyArgument())
    .argument('[subject]', 'only this subject, with or without sub-')
    .addOption(
      new Option('--exclude <reason>', 'leave the subject out of the statistics').conflicts('include'),
    )
    .option('--include <reason>', 'use the subject whatever the limits say')
    .option('--session <label>', 'session that the reason is about')
    .option('--reviewer <name>', 'who decides (default: $USER)')
    .option('--verdicts <list>', 'only these verdicts: pass, warn, exclude, separated by commas', levels)
    .option('--browse', 'review in the browser: serves a page on this machine only, until Ctrl-C')
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md qc study.yaml
  delta-md qc study.yaml --verdicts warn,exclude --json
  delta-md qc study.yaml sub-07 --exclude "ghost through both frontal lobes"
  delta-md qc study.yaml sub-09 --include "looked at: outliers are in the neck" --reviewer "A. Weber"
  delta-md qc study.yaml --browse

Exit codes: 0 no subject awaits a decision, 1 some do, 2 bad input or refused, 3 infrastructure`,
    )
    .action(async (file: string, label: string | undefined, options: Options) => {
      const out = output(options.json);
      const study = await requireStudy(file, options.workDir);
      const address = options.temporalAddress;
      const take = async (verdict: Verdict): Promise<string> => {
        const waiting = await decide(study, verdict, address);
        if (waiting === undefined)
          return `Written to ${join(study.output, 'qc.tsv')}. The next report uses it: delta-md report`;
        return waiting.length > 0
          ? `The cohort took it; ${waiting.length} wait still.`
          : 'The cohort took it and goes on.';
      };
      if (options.browse) return serveReview(study, reviewerOf(options), out, take);
      const verdict = verdictOf(label, options);
      if (verdict) out.say(await take(verdict));
      const every = await standingsOf(study);
      const subject = label === undefined ? undefined : withPrefix(label);
      if (subject !== undefined && !every.some((one) => one.subject === subject))
        throw new CommandError(`${subject} has no results in ${study.output}.`, EXIT.badInput);
      const shown = worstFirst(every).filter(
        (one) =>
          (subject === undefined || one.subject === subject) &&
          (options.verdicts?.includes(one.level) ?? true),
      );
      const gate = await withCohort(study, address, waitingAt);
      const pages = await pagesOf(study, shown);
      const counts = Object.fromEntries(
        LEVELS.map((level) => [level, every.filter((one) => one.level === level).length]),
      );
      const awaits = every.filter((one) => one.awaits).length;
      sayTable(shown, out, pages);
      out.say(
        `${study.study}: ${LEVELS.map((level) => `${counts[level]} ${level}`).join(', ')}; ${awaits} await a decision`,
      );
      if (gate && gate.length > 0) out.say(`The cohort waits for ${gate.length} before its statistics.`);
      out.result({
        study: study.study,
        counts,
        awaits,
        gate: gate ?? null,
        subjects: shown.map((one) => ({ ...one, page: pages.get(one.subject) ?? null })),
      });
      process.exitCode = awaits > 0 ? EXIT.someFailed : EXIT.done;
    });
}
