/**
 * What becomes of a request whose counters could not be asked: `error` is an error to the caller (whose
 * `failure_mode_deny` decides), `open` lets it through, `closed` rejects it, `local` counts it in this process.
 */
export const failureModes = ['error', 'open', 'closed', 'local'] as const;

/** @see failureModes */
export type FailureMode = (typeof failureModes)[number];

/** Reads a mode as it stands in a file; null when it is none. */
export function parseFailureMode(text: string): FailureMode | null {
  return failureModes.find((mode) => mode === text) ?? null;
}
