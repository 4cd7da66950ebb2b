/** What a script may rely on. */
export const EXIT = {
  done: 0,
  someFailed: 1,
  badInput: 2,
  infrastructure: 3,
  /** Ended by Ctrl-C, as shells have it. */
  interrupted: 130,
} as const;

/** An error the user can act on, with the exit code it ends the command with. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
