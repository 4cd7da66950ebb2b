/** What commands say: words for people on stderr or stdout, one JSON document on stdout for scripts. */
import pc from 'picocolors';

/** How one command speaks. */
export interface Output {
  readonly json: boolean;
  /** A line for people; with --json it goes to stderr, so that stdout holds JSON only. */
  say(line?: string): void;
  /** The command's result for scripts; printed only with --json. */
  result(value: unknown): void;
}

export function output(json: boolean | undefined): Output {
  const stream = json ? process.stderr : process.stdout;
  return {
    json: json === true,
    say: (line = '') => void stream.write(`${line}\n`),
    result: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
  };
}

/** `1:02:03` or `02:03`. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const hours = Math.floor(s / 3600);
  return `${hours > 0 ? `${hours}:` : ''}${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
}

/** Columns aligned by their widest cell; numbers to the right. Colours do not count as width. */
export function columns(rows: readonly (readonly string[])[], header?: readonly string[]): string[] {
  const all = header ? [header, ...rows] : rows;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences.
  const bare = (text: string) => text.replace(/\x1b\[\d+m/g, '');
  const widths = (all[0] ?? []).map((_, c) => Math.max(...all.map((row) => bare(row[c] ?? '').length)));
  const isNumber = (c: number) =>
    rows.length > 0 && rows.every((row) => /^[−+-]?[\d.]*%?$/.test(bare(row[c] ?? '')));
  const line = (row: readonly string[]) =>
    row
      .map((cell, c) => {
        const pad = ' '.repeat(widths[c] - bare(cell).length);
        return isNumber(c) ? pad + cell : cell + pad;
      })
      .join('  ')
      .trimEnd();
  return header ? [pc.bold(line(header)), ...rows.map(line)] : rows.map(line);
}
