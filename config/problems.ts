/** What is wrong with a study file, said so that it can be mended: where, what, and what to write instead. */
import { closest, distance } from 'fastest-levenshtein';
import { type Document, isMap, isNode, isScalar, isSeq, type LineCounter } from 'yaml';
import type { z } from 'zod';
import type { JsonSchema } from './schema.ts';

export interface Problem {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** Dotted place in the study file, such as `statistics.outcomes[0].name`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

export type Keys = readonly (string | number)[];

/** A problem whose place is still a path of keys. */
export interface Finding {
  readonly keys: Keys;
  /** The finding is about the last key itself (a misspelt name), not about its value. */
  readonly atKey?: boolean;
  readonly message: string;
  readonly remedy: string;
}

/** `['a', 0, 'b']` -> `a[0].b`. */
export function pathText(keys: Keys): string {
  return keys.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');
}

/** `Did you mean "x"?` where a candidate is near enough to be a slip of the pen; else undefined. */
export function suggestion(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const best = closest(
    word.toLowerCase(),
    candidates.map((c) => c.toLowerCase()),
  );
  const match = candidates.find((c) => c.toLowerCase() === best)!;
  // A third of the letters may differ: `profil`, `wrok`, `madrs_24` are slips, `foo` is no slip of `bids`.
  return distance(word.toLowerCase(), best) <= Math.floor(Math.max(word.length, match.length) / 3)
    ? `Did you mean "${match}"?`
    : undefined;
}

/** Suggestion, or the list to choose from. */
export function suggestOrList(word: string, candidates: readonly string[], what: string): string {
  return suggestion(word, candidates) ?? `${what}: ${candidates.join(', ') || 'none'}`;
}

/** Places a finding in the text: at its value, at its key where asked, else at the nearest parent that is there. */
export function locate(file: string, document: Document, lines: LineCounter, finding: Finding): Problem {
  const { key, value } = nodesAt(document, finding.keys);
  const node = finding.atKey ? key : value;
  const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  const { line, col } = lines.linePos(offset);
  return {
    file,
    line: Math.max(1, line),
    column: Math.max(1, col),
    path: pathText(finding.keys),
    message: finding.message,
    remedy: finding.remedy,
  };
}

/** Key and value nodes at a path; where it ends early, the key of the deepest part that is there stands for both. */
function nodesAt(document: Document, keys: Keys): { key: unknown; value: unknown } {
  let key: unknown = document.contents;
  let value: unknown = document.contents;
  for (const word of keys) {
    // Numbers as keys (labels: { 1: lBA10 }) are words in plain data.
    const pair = isMap(value)
      ? value.items.find((item) => isScalar(item.key) && String(item.key.value) === String(word))
      : undefined;
    const next = isSeq(value) ? value.items[Number(word)] : pair?.value;
    if (next === undefined || next === null) return { key: pair?.key ?? key, value: pair?.key ?? key };
    key = pair?.key ?? next;
    value = next;
  }
  return { key, value };
}

/** Value in plain data at a path of keys; undefined where there is none. */
export function valueAt(data: unknown, keys: Keys): unknown {
  let value = data;
  for (const key of keys) value = (value as Record<string | number, unknown> | null | undefined)?.[key];
  return value;
}

/** Every part of the schema that can stand at a path of keys. */
function schemasAt(schema: JsonSchema, keys: Keys): JsonSchema[] {
  const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const below = alternatives.flatMap((s) => schemasAt(s, keys));
  if (keys.length === 0) return [schema, ...below];
  const [key, ...rest] = keys;
  const child =
    typeof key === 'number'
      ? schema.items
      : (schema.properties?.[key] ??
        (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined));
  return [...(child ? schemasAt(child, rest) : []), ...below];
}

/** Description of the field at a path, else of the nearest parent that has one. */
function describe(schema: JsonSchema, keys: Keys): string {
  for (let n = keys.length; n > 0; n--) {
    const found = schemasAt(schema, keys.slice(0, n)).find((s) => s.description !== undefined);
    if (found?.description) return found.description;
  }
  return 'See the guide to the study file';
}

/** Turns a schema issue into findings in the reader's words. */
export function findingsOf(issue: z.core.$ZodIssue, data: unknown, schema: JsonSchema): Finding[] {
  const keys = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  const name = keys.length === 0 ? 'the file' : pathText(keys);
  const value = valueAt(data, keys);
  const finding = (predicate: string, remedy = describe(schema, keys)): Finding[] => [
    { keys, message: `${name} ${predicate}`, remedy },
  ];
  if (value === undefined && issue.code !== 'custom') return finding('is missing');
  const shown = JSON.stringify(value);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = schemasAt(schema, keys).flatMap((s) => Object.keys(s.properties ?? {}));
      return issue.keys.map((key) => ({
        keys: [...keys, key],
        atKey: true,
        message: `${pathText([...keys, key])} is not a known setting`,
        remedy: suggestOrList(key, allowed, 'Known here'),
      }));
    }
    case 'invalid_type':
      return finding(`must be ${article(issue.expected)}, not ${shown}`);
    case 'invalid_value':
      return finding(
        `is ${shown}, which is not one of ${issue.values.join(', ')}`,
        suggestion(String(value), issue.values.map(String)),
      );
    case 'too_small':
    case 'too_big': {
      const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
      if (issue.origin === 'string') return finding('is empty');
      if (issue.origin === 'array') return finding('is an empty list');
      const bound = issue.code === 'too_small' ? (issue.inclusive ? 'at least' : 'more than') : 'at most';
      return finding(`is ${shown}, but must be ${bound} ${limit}`);
    }
    case 'invalid_key':
      return [
        {
          keys,
          atKey: true,
          message: `"${keys.at(-1)}" cannot be a name under ${pathText(keys.slice(0, -1))}`,
          remedy: describe(schema, keys.slice(0, -1)),
        },
      ];
    case 'invalid_union': {
      if (issue.errors.length === 0) return finding(`is ${shown}, which is not a known kind`);
      // The branch meant is the one that agrees with the value's outer shape.
      const meant = issue.errors.find((branch) =>
        branch.every((i) => i.path.length > 0 || i.code === 'unrecognized_keys'),
      );
      if (!meant) return finding(`cannot be ${shown}`);
      return meant.flatMap((i) => findingsOf({ ...i, path: [...issue.path, ...i.path] }, data, schema));
    }
    case 'custom':
      return finding(issue.message);
    default:
      return finding(`cannot be ${shown}`);
  }
}

function article(type: string): string {
  const word =
    {
      int: 'whole number',
      object: 'group of settings',
      record: 'group of settings',
      array: 'list',
      string: 'text',
      boolean: 'true or false',
    }[type] ?? type;
  return word === 'text' || word === 'true or false' ? word : `a ${word}`;
}
