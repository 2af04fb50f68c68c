import type { Random } from '#gateway/runtime/random.ts';
import type { AcmeFailureKind } from './acme-error.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * First delay and longest delay by kind of failure, milliseconds; each failure doubles. Names that were not proven start at
 * 15 minutes: Let's Encrypt allows five failures a name and hour, and replicas and operators try too.
 */
const steps: Readonly<Record<AcmeFailureKind, readonly [number, number]>> = {
  challenge: [15 * minuteMs, 24 * hourMs],
  refused: [30 * minuteMs, 24 * hourMs],
  rate_limited: [hourMs, 24 * hourMs],
  settings: [minuteMs, hourMs],
  unreachable: [minuteMs, 2 * hourMs],
  storage: [10_000, 5 * minuteMs],
  aborted: [10_000, minuteMs],
};

/**
 * How long to leave a name alone after its `failures`th failure in a row (1 is the first): doubling, up to a fifth more by
 * chance, and never less than the authority asked for.
 */
export function failureDelayMs(
  failures: number,
  kind: AcmeFailureKind,
  retryAfterMs: number | null,
  random: Random,
): number {
  const [first, longest] = steps[kind];
  const doubled = Math.min(first * 2 ** Math.min(Math.max(0, failures - 1), 30), longest);
  const own = doubled * (1 + 0.2 * random.next());
  // A little past the authority's time, so that replicas do not all come back in its first second.
  const asked = retryAfterMs === null ? 0 : retryAfterMs + Math.min(retryAfterMs * 0.1, minuteMs) * random.next();
  return Math.ceil(Math.max(own, asked));
}
