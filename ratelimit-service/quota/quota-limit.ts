import { LimitAlgorithm } from '../config/algorithm.ts';
import type { LimitRule } from '../config/rule.ts';
import { type TakeLimit, takeLimit } from '../store/take.ts';

/** Windows up to this long are shared as rates, seconds; longer ones as numbers of requests. */
const maxRateWindowSeconds = 10;

/**
 * A share of a rate is held for at least this long before it is taken anew, seconds. What a replica held that was killed is
 * missing for as long.
 */
const leastLeaseSeconds = 20;

/** A rate is shared in quarters of a request per window, where it is not smaller. */
const partsPerRequest = 4;

/**
 * How a rule's limit is divided among clients. Pure functions of the rule: all replicas have the same.
 *
 * `tokens`: a window longer than ten seconds. What is divided are requests, taken from the counter that ShouldRateLimit
 * counts on, and given to clients as token buckets that do not fill again.
 *
 * `rate`: a shorter window. What is divided are parts of the rate, held for a lease and counted on a counter of their own.
 * The limit is so many units that `unitsPerRequest` of them are one request in each window.
 */
export interface QuotaLimit {
  readonly kind: 'tokens' | 'rate';
  readonly rule: LimitRule;
  /** The numbers for the store: of requests, or of units in a lease. */
  readonly take: TakeLimit;
  /** Requests in a full limit, or units. */
  readonly capacity: number;
  /** Length of the counter's window, seconds: the rule's, or the lease. */
  readonly windowSeconds: number;
  /** Whether the counter's key names the window that began last. */
  readonly windowed: boolean;
  /** 1 for tokens. */
  readonly unitsPerRequest: number;
  /** What stands before the counter's key instead of the rule's own tag. */
  readonly keyTag: string;
}

/** What was made of a rule: its buckets may be very many. */
const made = new WeakMap<LimitRule, QuotaLimit | null>();

/** How a rule is divided; null for one that says nothing about a number of requests over time: unlimited, or of concurrency. */
export function quotaLimit(rule: LimitRule): QuotaLimit | null {
  let limit = made.get(rule);
  if (limit === undefined) {
    limit = divide(rule);
    made.set(rule, limit);
  }
  return limit;
}

function divide(rule: LimitRule): QuotaLimit | null {
  const { take, windowSeconds, requestsPerUnit } = rule;
  if (rule.unlimited || take.algorithm === LimitAlgorithm.Concurrency) return null;
  if (windowSeconds > maxRateWindowSeconds) {
    const windowed = take.algorithm === LimitAlgorithm.FixedWindow;
    const { capacity } = take;
    return { kind: 'tokens', rule, take, capacity, windowSeconds, windowed, unitsPerRequest: 1, keyTag: rule.keyTag };
  }
  const round = partsPerRequest * windowSeconds;
  const lease = Math.ceil(leastLeaseSeconds / round) * round;
  const unitsPerRequest = lease / windowSeconds;
  const capacity = requestsPerUnit * unitsPerRequest;
  return {
    kind: 'rate',
    rule,
    take: takeLimit(LimitAlgorithm.FixedWindow, capacity, capacity, lease, true),
    capacity,
    windowSeconds: lease,
    windowed: true,
    unitsPerRequest,
    keyTag: `q${lease}:${rule.keyTag}`,
  };
}

/** Whether two limits divide the same, so that what is held of one is worth the same of the other. */
export function sameQuotaLimit(a: QuotaLimit, b: QuotaLimit): boolean {
  return (
    a.kind === b.kind &&
    a.capacity === b.capacity &&
    a.take.limit === b.take.limit &&
    a.take.algorithm === b.take.algorithm &&
    a.rule.windowSeconds === b.rule.windowSeconds &&
    a.rule.take.capacity === b.rule.take.capacity &&
    a.rule.take.algorithm === b.rule.take.algorithm &&
    a.keyTag === b.keyTag
  );
}
