/** One stretch of calls to a rate-limit service. */
export interface LimitWindow {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  /** Calls under way on each connection, when `rate` is null. */
  readonly inFlight: number;
  /** Calls a second that are offered whatever the answers do; null: as many as are answered. */
  readonly rate: number | null;
  /** How many clients call, each with counters of its own: 1 is one hot key for each of the two descriptors. */
  readonly keys: number;
  /** Whether the clients call one after the other, each once, instead of at random; `seconds` is then the most it takes. */
  readonly sweep: boolean;
}

/** What came of it. A call counts as answered when its reply says OK, for the call and for both descriptors. */
export interface LimitWindowResult {
  readonly answered: number;
  readonly failed: number;
  /** Why the first one failed; '' when none did. */
  readonly problem: string;
  readonly seconds: number;
  /** From when a call was due (or sent, without a rate) to its reply, milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}
