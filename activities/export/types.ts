/** What the parts of an export tell each other. */

/** One file of an export. */
export interface Exported {
  /** Below the folder it was written to, with slashes. */
  readonly path: string;
  readonly description: string;
  /** Files it was made from, absolute. */
  readonly sources: readonly string[];
}

/** An exported file with its content. */
export interface ExportedFile extends Exported {
  readonly sha256: string;
  readonly bytes: number;
}
