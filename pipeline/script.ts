/**
 * A subject as a shell script: the protocol is walked with hands that write down instead of running, and each step
 * becomes the lines a person would type. Pure: the text is made here, nothing is read or run.
 */
import { hasVariants, variantsOf } from './fsl-versions.ts';
import { type PreparedSession, processSubject, WHOLE } from './protocol.ts';
import { plan as concrete, type FileRef, INPUT_FOLDER, type RunStep, type StepRun } from './step.ts';
import { type StudyPlan, sessionName } from './study.ts';

/** One step as it would run. */
export interface PlannedStep {
  /** A session's name, or {@link WHOLE}. */
  readonly where: string;
  /** Tells steps of one name apart: `b0 AP`. */
  readonly label: string;
  /** Its working folder, relative to the subject's; of letters, digits, `_`, `-` and `/`. */
  readonly folder: string;
  readonly run: StepRun;
}

/** Content of a file that is still to be made; its path is relative to the subject's folder. */
const TO_COME = '';

/** Every step of one subject: those of the baseline, of the follow-up, then those of both, each in their order. */
export async function plannedSteps(
  plan: StudyPlan,
  prepare: (session: string | null) => Promise<PreparedSession>,
): Promise<PlannedStep[]> {
  const { baseline, followup } = plan.sessions;
  const places = [sessionName(baseline), ...(followup === undefined ? [] : [sessionName(followup)]), WHOLE];
  const steps = new Map(places.map((where): [string, PlannedStep[]] => [where, []]));
  const runAt =
    (where: string): RunStep =>
    async (step, inputs, label = step.name) => {
      const before = steps.get(where)!;
      const number = String(before.length + 1).padStart(2, '0');
      const folder = `${where}/${number}_${label.replace(/[^A-Za-z0-9]+/g, '_')}`;
      const run = concrete(step, inputs);
      before.push({ where, label, folder, run });
      const files: Record<string, FileRef> = Object.fromEntries(
        Object.entries(run.outputs).map(([name, file]) => [
          name,
          { path: `${folder}/${file}`, sha256: TO_COME },
        ]),
      );
      return files as Awaited<ReturnType<RunStep>>;
    };
  await processSubject(plan, { prepare, runAt });
  return [...steps.values()].flat();
}

/** A word as the shell must be told it, whatever is in it. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Text of a comment: nothing in a name may end the line. */
function comment(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return `# ${text.replace(/[\x00-\x1f\x7f\u0085\u2028\u2029]/g, '?')}`;
}

/** A subject for {@link scriptOf}. */
export interface ScriptedSubject {
  readonly subject: string;
  readonly steps: readonly PlannedStep[];
  /** Small texts among the inputs, by their paths: the script writes them itself. */
  readonly texts: Readonly<Record<string, { readonly name: string; readonly text: string }>>;
}

/** Words for the top of the script, and the folders that get a name there. */
export interface ScriptFacts {
  /** Such as `delta-md 0.1.0`. */
  readonly by: string;
  readonly study: string;
  readonly profile: string;
  /** Absolute. */
  readonly bids: string;
  readonly gpu: boolean;
}

/**
 * Where a tool's program goes by several names, the one that is there, as a run would choose it. `type -P` finds
 * programs only, so the function does not find itself.
 */
function chooser(tool: string, gpu: boolean): string[] {
  const programs = variantsOf(tool, gpu).map(quoted).join(' ');
  return [
    comment(`${tool} by the name it has in this FSL.`),
    `${tool}() {`,
    '  local program',
    `  for program in ${programs}; do`,
    '    if type -P "$program" > /dev/null; then command "$program" "$@"; return; fi',
    '  done',
    `  echo "none of these is on the PATH: ${programs}" >&2; return 127`,
    '}',
  ];
}

/** A bash script that does for these subjects what a run does up to the maps in template space. */
export function scriptOf(
  plan: Pick<StudyPlan, 'template'>,
  subjects: readonly ScriptedSubject[],
  { by, study, profile, bids, gpu }: ScriptFacts,
): string {
  const tools = new Set(subjects.flatMap(({ steps }) => steps.map(({ run }) => run.argv[0])));
  const lines = [
    '#!/usr/bin/env bash',
    comment(`${study}, profile ${profile}: the commands of ${by}, for a shell with these tools on its PATH:`),
    comment([...tools].sort().join(' ')),
    comment('What they write goes to the folder OUT, by default ./delta-md: OUT=/scratch/x bash THIS_SCRIPT'),
    'set -euo pipefail',
    'export FSLOUTPUTTYPE=NIFTI_GZ LANG=C.UTF-8',
    `BIDS=${quoted(bids)}`,
    `TEMPLATE=${quoted(plan.template.path)}`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's.
    'OUT=${OUT:-delta-md}',
    'mkdir -p -- "$OUT"',
    'OUT=$(cd -- "$OUT" && pwd)',
    ...[...tools].filter(hasVariants).flatMap((tool) => ['', ...chooser(tool, gpu)]),
  ];
  for (const { subject, steps, texts } of subjects) {
    const own = (path: string) => `"$OUT"/${quoted(`${subject}/${path}`)}`;
    const written = new Set<string>();
    const place = ({ path, sha256 }: FileRef, where: string): string => {
      if (sha256 === TO_COME) return own(path);
      if (Object.hasOwn(texts, path)) return own(`${where}/${texts[path].name}`);
      if (path === plan.template.path) return '"$TEMPLATE"';
      return path.startsWith(`${bids}/`) ? `"$BIDS"/${quoted(path.slice(bids.length + 1))}` : quoted(path);
    };
    for (const { where, label, folder, run } of steps) {
      lines.push('', comment(`${subject}, ${where}: ${label}`));
      lines.push(`mkdir -p ${own(`${folder}/${INPUT_FOLDER}`)}`, `cd ${own(folder)}`);
      for (const [staged, file] of Object.entries(run.inputs)) {
        const from = place(file, where);
        if (Object.hasOwn(texts, file.path) && !written.has(from)) {
          written.add(from);
          lines.push(`cat > ${from} << 'END'`, texts[file.path].text.trimEnd(), 'END');
        }
        lines.push(`ln -sf ${from} ${quoted(staged)}`);
      }
      lines.push(run.argv.map(quoted).join(' '));
    }
  }
  return `${lines.join('\n')}\n`;
}
