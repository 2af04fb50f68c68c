/** How a rule counts. `gcra` and `token_bucket` are two names of one algorithm. */
export const LimitAlgorithm = { FixedWindow: 0, Bucket: 1, SlidingWindow: 2, Concurrency: 3 } as const;
/** @see LimitAlgorithm */
export type LimitAlgorithm = (typeof LimitAlgorithm)[keyof typeof LimitAlgorithm];

const byName: ReadonlyMap<string, LimitAlgorithm> = new Map([
  ['fixed_window', LimitAlgorithm.FixedWindow],
  ['sliding_window', LimitAlgorithm.SlidingWindow],
  ['gcra', LimitAlgorithm.Bucket],
  ['token_bucket', LimitAlgorithm.Bucket],
  ['concurrency', LimitAlgorithm.Concurrency],
]);

/** The names, as messages show them. */
export const algorithmNames: string = [...byName.keys()].join(', ');

/** Reads a name in any case; the empty one is the fixed window. Null when it is none. */
export function parseAlgorithm(text: string): LimitAlgorithm | null {
  return text === '' ? LimitAlgorithm.FixedWindow : (byName.get(text.toLowerCase()) ?? null);
}

const shownNames = ['fixed_window', 'gcra', 'sliding_window', 'concurrency'] as const;

/** The name as a page shows it. */
export function algorithmName(algorithm: LimitAlgorithm): string {
  return shownNames[algorithm];
}

const letters = ['w', 'g', 's', 'c'] as const;

/**
 * What goes before the keys of a limit that the reference service does not know, e.g. `s60:`; the same for limits of one
 * algorithm and window, so that a change of their numbers keeps what was counted.
 */
export function algorithmKeyTag(algorithm: LimitAlgorithm, windowSeconds: number): string {
  return `${letters[algorithm]}${windowSeconds}:`;
}
