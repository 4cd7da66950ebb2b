/** Reads a YAML file of settings so that every problem with it can be told with its line. */
import { readFile } from 'node:fs/promises';
import { type Document, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { type Finding, locate, type Problem } from './problems.ts';

export type YamlFile =
  | {
      readonly ok: true;
      readonly data: unknown;
      /** Where in the file a finding is. */
      readonly place: (finding: Finding) => Problem;
    }
  | { readonly ok: false; readonly problems: Problem[] };

/** Scalars under these settings stay words where they look like numbers. */
function keepWords(document: Document, words: ReadonlySet<string>): void {
  visit(document, {
    Scalar(_, scalar, path) {
      const top = path.find(isPair)?.key;
      if (isScalar(top) && words.has(String(top.value)) && typeof scalar.value === 'number')
        scalar.value = scalar.source;
    },
  });
}

/**
 * Never throws for what a user can mend: a file that cannot be read is a problem like any other.
 * @param words settings at the top whose values are words, whatever they look like
 * @param otherwise how else to come by such a file
 */
export async function readYaml(
  file: string,
  words: ReadonlySet<string>,
  otherwise: string,
): Promise<YamlFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const message = `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`;
    const remedy = `Check the path; ${otherwise}`;
    return { ok: false, problems: [{ file, line: 1, column: 1, path: '', message, remedy }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = (message: string, offset: number): Problem => {
    const { line, col } = lines.linePos(offset);
    const remedy = 'Mend the YAML: indent with spaces, one "name: value" per line';
    return { file, line: Math.max(1, line), column: Math.max(1, col), path: '', message, remedy };
  };
  if (document.errors.length > 0)
    return { ok: false, problems: document.errors.map((error) => syntax(error.message, error.pos[0])) };
  keepWords(document, words);
  try {
    const data: unknown = document.toJS() ?? {};
    return { ok: true, data, place: (finding) => locate(file, document, lines, finding) };
  } catch (error) {
    // An alias (*name) without its anchor shows only here.
    return { ok: false, problems: [syntax((error as Error).message, 0)] };
  }
}
