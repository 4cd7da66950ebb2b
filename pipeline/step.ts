/**
 * What a step is: one FSL command as a value. A step knows neither paths of the study nor who runs it. Its inputs are
 * staged under plain names in a folder `in/` beside its outputs, so the argv of a step is the same for every subject,
 * spaces and odd BIDS names never reach a tool, and a log line can be pasted into a shell that has FSL.
 */

declare const staged: unique symbol;
/** Path of a staged input as the tool sees it, relative to its working folder. */
export type Path = string & { readonly [staged]: true };

/** A file by content: where it lies and what it holds. Small enough for a Temporal payload. */
export interface FileRef {
  /** Absolute path. */
  readonly path: string;
  readonly sha256: string;
}

/** What a step may need of a machine. */
export interface Resources {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly minutes: number;
  /** Can use a graphics card, where the study says that there is one. */
  readonly gpu?: boolean;
}

/** Files (one or a list) by content become staged paths for the argv; every other input is passed as it is. */
export type Given<In> = {
  readonly [K in keyof In]: NonNullable<In[K]> extends Path
    ? FileRef
    : NonNullable<In[K]> extends readonly Path[]
      ? readonly FileRef[]
      : In[K];
};

/** One FSL command: how its argv is made, what it writes, what it needs. */
export interface Step<In, Out extends string, Maybe extends string = never> {
  readonly name: string;
  /** The command line; `argv[0]` is FSL's name of the tool. */
  readonly argv: (inputs: In) => readonly string[];
  /** Name of each output, relative to the working folder. */
  readonly outputs: Readonly<Record<Out, string>>;
  /** Outputs that some versions or flags of the tool write and others do not; they may be empty. */
  readonly optional?: Readonly<Record<Maybe, string>>;
  readonly resources: Resources;
}

/** A step made concrete for given files: plain data, the same for every runtime. */
export interface StepRun {
  readonly name: string;
  readonly argv: readonly string[];
  /** Staged relative path -> the file to be found there. */
  readonly inputs: Readonly<Record<string, FileRef>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** Taken where the tool wrote them. They enter no key: a result made before they were asked for counts. */
  readonly optional?: Readonly<Record<string, string>>;
  readonly resources: Resources;
  /** Names the order to compute this anew: a result made before that order does not count. */
  readonly anew?: string;
}

/** Folder, inside the working folder, where inputs are staged. */
export const INPUT_FOLDER = 'in';

export function isFile(value: unknown): value is FileRef {
  return typeof value === 'object' && value !== null && 'sha256' in value;
}

/** Extension of a file, NIfTI's double one kept together. */
function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name.endsWith('.nii.gz')) return '.nii.gz';
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot) : '';
}

/** Makes a step concrete: stages its files by the names of its inputs and builds the argv. */
export function plan<In extends object, Out extends string, Maybe extends string>(
  step: Step<In, Out, Maybe>,
  given: Given<In>,
): StepRun {
  const files: Record<string, FileRef> = {};
  const stage = (name: string, file: FileRef): string => {
    const path = `${INPUT_FOLDER}/${name}${extensionOf(file.path)}`;
    files[path] = { path: file.path, sha256: file.sha256 };
    return path;
  };
  const inputs = Object.fromEntries(
    Object.entries(given).map(([key, value]) => {
      if (isFile(value)) return [key, stage(key, value)];
      if (Array.isArray(value) && value.length > 0 && value.every(isFile))
        return [key, value.map((file, i) => stage(`${key}-${i + 1}`, file))];
      return [key, value];
    }),
  ) as In;
  return {
    name: step.name,
    argv: step.argv(inputs),
    inputs: files,
    outputs: step.outputs,
    ...(step.optional ? { optional: step.optional } : {}),
    resources: step.resources,
  };
}

/** Files of a finished step, by the names of its outputs. */
export type Outputs<Out extends string, Maybe extends string = never> = Readonly<Record<Out, FileRef>> &
  Readonly<Partial<Record<Maybe, FileRef>>>;

/** Runs a step, whoever does it, and gives its files. */
export type RunStep = <In extends object, Out extends string, Maybe extends string = never>(
  step: Step<In, Out, Maybe>,
  inputs: Given<In>,
  /** Tells steps of one name apart: `b0s AP`. */
  label?: string,
) => Promise<Outputs<Out, Maybe>>;
