/** The official BIDS validator, where the machine has one: what it finds wrong with a dataset, in short. */
import { execa } from 'execa';

/** Names it is installed under: by PyPI; by npm and deno. */
const PROGRAMS = ['bids-validator-deno', 'bids-validator'] as const;

/** Findings of one kind. */
export interface BidsProblem {
  readonly code: string;
  /** Files that have it. */
  readonly count: number;
  /** One of them, below the dataset. */
  readonly first: string;
}

export interface BidsVerdict {
  /** The program that was run. */
  readonly validator: string;
  /** Errors only, most files first; undefined where the program gave no answer. */
  readonly errors: readonly BidsProblem[] | undefined;
}

/** Has the official validator look at a dataset; undefined where there is none on PATH. */
export async function officialVerdict(bids: string): Promise<BidsVerdict | undefined> {
  for (const validator of PROGRAMS) {
    const run = await execa(validator, [bids, '--json', '--ignoreWarnings'], { reject: false });
    if (run.code === 'ENOENT') continue;
    return { validator, errors: errorsIn(run.stdout) };
  }
  return undefined;
}

/** Errors in what the validator prints, of today's form or of that before version 2; undefined for anything else. */
export function errorsIn(text: string): BidsProblem[] | undefined {
  let issues: Printed['issues'];
  try {
    issues = (JSON.parse(text) as Printed | null)?.issues;
  } catch {
    return undefined;
  }
  const found =
    issues?.issues
      ?.filter(({ severity }) => severity === 'error')
      .map(({ code, subCode, location = '' }) => ({
        code: subCode ? `${code} ${subCode}` : code,
        file: location,
      })) ??
    issues?.errors?.flatMap(({ key, files }) =>
      (files.length > 0 ? files : [null]).map((entry) => ({
        code: key,
        file: entry?.file?.relativePath ?? '',
      })),
    );
  if (found === undefined) return undefined;
  const kinds = new Map<string, { code: string; count: number; first: string }>();
  for (const { code, file } of found) {
    const kind = kinds.get(code);
    if (kind) kind.count++;
    else kinds.set(code, { code, count: 1, first: file });
  }
  return [...kinds.values()].sort((a, b) => b.count - a.count);
}

interface LegacyFile {
  readonly file?: { readonly relativePath?: string } | null;
}

/** What the validator prints: version 2 and later have `issues.issues`, those before `issues.errors`. */
interface Printed {
  readonly issues?: {
    readonly issues?: readonly {
      readonly code: string;
      readonly subCode?: string;
      readonly severity: string;
      readonly location?: string;
    }[];
    readonly errors?: readonly {
      readonly key: string;
      readonly files: readonly (LegacyFile | null)[];
    }[];
  };
}
