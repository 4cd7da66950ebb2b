/**
 * What a tool of the toolkit is: FSL's name, FSL's flags, FSL's files. A tool reads its argv and files, writes files,
 * prints progress, and throws {@link ToolError} for what the user must mend. `main.ts` turns that into exit codes.
 */

/** One flag of a command line. */
export interface Flag {
  /** Every spelling, for example `['--imain']` or `['-o', '--out']`. */
  readonly names: readonly string[];
  /** Word for the value in the help text; a flag without it takes no value. */
  readonly value?: string;
  /** Words the value takes, given as one text with spaces between: 3 in bet's `-c x y z`. Default 1. */
  readonly words?: number;
  readonly required?: boolean;
  /** One line for `--help`. */
  readonly help: string;
}

/** What was given on the command line: by the flag's key, and what is no flag. */
export interface Options<Key extends string> {
  /** Value of a flag, or undefined when absent. */
  get(key: Key): string | undefined;
  /** Value of a flag as a finite number, `fallback` when absent. Throws ToolError when it is none. */
  number(key: Key, fallback: number): number;
  /** True when the flag was given. */
  has(key: Key): boolean;
  readonly positional: readonly string[];
}

/** A command of the toolkit. */
export interface Tool<Key extends string = string> {
  /** FSL's name, such as `topup`. */
  readonly name: string;
  /** One sentence for the help text. */
  readonly summary: string;
  /** Usage line(s) in FSL's shape. */
  readonly usage: string;
  readonly flags: Readonly<Record<Key, Flag>>;
  /** The order of the words matters (fslmaths): argv is handed over as `options.positional`, no flag is parsed. */
  readonly raw?: boolean;
  run(options: Options<Key>, progress: Progress): Promise<void>;
}

/** Reports how far a tool is, 0 to 1, with a word on what it does. Printed as `[ 42 %] iteration 3 of 9`. */
export type Progress = (fraction: number, message: string) => void;

/** Bad input or usage. `message` names the file and the remedy. Exit code 1, no stack trace. */
export class ToolError extends Error {
  override name = 'ToolError';
}

/**
 * Parses FSL's command line: `--key=value`, `--key value`, `-k value`, `-longkey value`. Order does not matter.
 * Negative numbers are values, not flags.
 */
export function parseOptions<Key extends string>(tool: Tool<Key>, argv: readonly string[]): Options<Key> {
  if (tool.raw) return { get: () => undefined, has: () => false, number: (_, f) => f, positional: argv };
  const byName = new Map<string, Key>();
  for (const key of Object.keys(tool.flags) as Key[])
    for (const name of tool.flags[key].names) byName.set(name, key);
  const values = new Map<Key, string>();
  const positional: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (!word.startsWith('-') || word === '-' || /^-[\d.]/.test(word)) {
      positional.push(word);
      continue;
    }
    const eq = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = eq > 0 ? word.slice(0, eq) : word;
    const key = byName.get(name);
    if (key === undefined)
      throw new ToolError(`${tool.name}: unknown option ${name}. See ${tool.name} --help.`);
    const { words = 1 } = tool.flags[key];
    if (tool.flags[key].value === undefined) {
      if (eq > 0) throw new ToolError(`${tool.name}: ${name} takes no value.`);
      values.set(key, '');
    } else if (eq > 0) values.set(key, word.slice(eq + 1));
    else if (i + words < argv.length) {
      values.set(key, argv.slice(i + 1, i + 1 + words).join(' '));
      i += words;
    } else throw new ToolError(`${tool.name}: ${name} needs a value (${tool.flags[key].value}).`);
  }
  for (const key of Object.keys(tool.flags) as Key[])
    if (tool.flags[key].required && !values.has(key))
      throw new ToolError(`${tool.name}: ${tool.flags[key].names[0]} is required. See ${tool.name} --help.`);
  return {
    get: (key) => values.get(key),
    has: (key) => values.has(key),
    number(key, fallback) {
      const text = values.get(key);
      if (text === undefined) return fallback;
      const value = Number(text);
      if (text.trim() === '' || !Number.isFinite(value))
        throw new ToolError(`${tool.name}: ${tool.flags[key].names[0]}=${text} is not a number.`);
      return value;
    },
    positional,
  };
}

/** Help text of a tool in FSL's shape. */
export function helpText<Key extends string>(tool: Tool<Key>): string {
  const lines = ['', `${tool.name}: ${tool.summary}`, '', 'Usage:', tool.usage, ''];
  const rows = (Object.values(tool.flags) as Flag[]).map((flag) => ({
    left: `${flag.names.join(',')}${flag.value === undefined ? '' : ` <${flag.value}>`}`,
    right: `${flag.help}${flag.required ? ' (compulsory)' : ''}`,
  }));
  const width = Math.max(0, ...rows.map((r) => r.left.length));
  for (const { left, right } of rows) lines.push(`\t${left.padEnd(width)}  ${right}`);
  return `${lines.join('\n')}\n`;
}

const EXTENSION = /\.nii(\.gz)?$/;

/** An image's output path as FSL writes it: `.nii.gz` is added where the name has no NIfTI extension. */
export function imageOutput(name: string): string {
  return EXTENSION.test(name) ? name : `${name}.nii.gz`;
}

/** A name without its NIfTI extension: the stem that FSL builds further names from. */
export function stem(name: string): string {
  return name.replace(EXTENSION, '');
}
