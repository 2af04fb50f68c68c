/** Where a command writes, so that tests can read it. */
export interface CommandOutput {
  /** What was asked for: standard output. Texts carry their own line ends. */
  write(text: string): void;
  /** What went wrong, and notes for people: standard error. */
  error(text: string): void;
  /** Resolves when what was written has been taken. Absent where nothing is kept waiting. */
  drained?(): Promise<void>;
}

/** Exit codes of `sluice certs`. */
export const exitCodes = {
  ok: 0,
  /** The command was understood, and could not be carried out, or found something wrong. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
} as const;
