/** How a check ended. `network`: no answer (connection, time); `active`: the answer says no; `retriable`: counts as `network`. */
export type ProbeResult = 'success' | 'degraded' | 'active' | 'network' | 'retriable';

/** Told how a check ended, once. */
export interface ProbeListener {
  /** `httpStatus`: of the answer that says no, or 0. */
  onProbeResult(result: ProbeResult, httpStatus?: number): void;
}

/** Checks one host, again and again. */
export interface Probe {
  /** Starts one check; the listener may be called before this returns. */
  start(): void;
  /** Ends a check that takes too long; the listener is not called. */
  abort(): void;
  /** Lets go of a connection that was kept. */
  close(): void;
}

/** Whether all of `wanted` stand in `text`, one after the other. */
export function containsInOrder(text: string, wanted: readonly string[]): boolean {
  let at = 0;
  for (const piece of wanted) {
    const found = text.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return true;
}
