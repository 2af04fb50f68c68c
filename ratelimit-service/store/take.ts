import { LimitAlgorithm } from '../config/algorithm.ts';
import { type BucketRate, bucketRate } from './bucket-level.ts';
import type { CounterWaiter } from './counter-store.ts';

/** The numbers of one limit, as stores need them. Immutable. */
export interface TakeLimit {
  readonly algorithm: LimitAlgorithm;
  /** Hits in a window, or in flight at once. */
  readonly limit: number;
  /** Hits that a full limit has room for: `limit`, or a bucket's burst. */
  readonly capacity: number;
  /** Length of the window, or of the lease. */
  readonly windowSeconds: number;
  /** Null unless it is a bucket. */
  readonly rate: BucketRate | null;
  /** Whether being over it refuses the call: not for shadow rules and quotas. */
  readonly enforced: boolean;
}

/** What one call wants of one limit. */
export interface Take {
  readonly limit: TakeLimit;
  readonly key: string;
  /** Unix seconds: the window that a fixed window's key is of. */
  readonly windowStart: number;
  /** Negative: given back, with 0 as the floor. */
  readonly hits: number;
  /** What the waiter is told with the answer. */
  readonly index: number;
}

/** The numbers of a limit. */
export function takeLimit(
  algorithm: LimitAlgorithm,
  limit: number,
  burst: number,
  windowSeconds: number,
  enforced: boolean,
): TakeLimit {
  const bucket = algorithm === LimitAlgorithm.Bucket;
  const rate = bucket ? bucketRate(limit, burst, windowSeconds) : null;
  return { algorithm, limit, capacity: bucket ? burst : limit, windowSeconds, rate, enforced };
}

/**
 * Tells a waiter what became of a take, as counters are told: what remains below the limit, or how much beyond it the count
 * would have been. `resetUs` is the time until there is room again or, when there is, until the limit is whole.
 */
export function answerTake(take: Take, over: boolean, remaining: number, resetUs: number, waiter: CounterWaiter): void {
  const { limit } = take.limit;
  const after = over ? limit + Math.max(1, take.hits) : limit - remaining;
  waiter.onCounter(take.index, after, Math.ceil(resetUs / 1_000_000));
}
