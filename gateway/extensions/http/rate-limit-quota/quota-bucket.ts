import type { Clock } from '#gateway/runtime/clock.ts';
import type { BucketBehavior } from './bucket-action.ts';
import type { BucketId } from './bucket-id.ts';
import { createLimit, type QuotaLimit, replaceLimit } from './quota-limit.ts';
import type { QuotaStrategy } from './quota-strategy.ts';

/**
 * One bucket: what limits its requests, and what was counted since the last report. The assignment's end is looked at when
 * a request comes; there is no timer.
 *
 *     unassigned -> assigned -> (time to live over) -> expired -> (timeout over) -> unassigned
 *                      ^---------- assign() ------------'--------------------------------'
 */
export class QuotaBucket {
  readonly id: BucketId;
  readonly behavior: BucketBehavior;
  /** Requests since the last report. */
  allowed = 0;
  denied = 0;
  /** When usage was last reported, or the bucket was made. */
  reportedMs: number;
  /** When a report last had requests to tell of. */
  usedMs: number;
  /** Usage that was sent on a stream that is not established yet: it may never have arrived. */
  unansweredAllowed = 0;
  unansweredDenied = 0;
  unansweredSinceMs = -1;
  readonly #clock: Clock;
  readonly #unassigned: QuotaLimit;
  #state: 'unassigned' | 'assigned' | 'expired' = 'unassigned';
  #limit: QuotaLimit;
  /** When the state ends by itself. */
  #endMs = Number.POSITIVE_INFINITY;

  constructor(id: BucketId, behavior: BucketBehavior, clock: Clock) {
    this.id = id;
    this.behavior = behavior;
    this.#clock = clock;
    this.#unassigned = createLimit(behavior.noAssignment, clock);
    this.#limit = this.#unassigned;
    this.reportedMs = clock.nowMs();
    this.usedMs = this.reportedMs;
  }

  /** Takes one request and counts it; false: it is over the quota. */
  take(): boolean {
    if (this.#endMs !== Number.POSITIVE_INFINITY) this.#settle();
    const allowed = this.#limit.allows();
    if (allowed) this.allowed++;
    else this.denied++;
    return allowed;
  }

  /** Whether an assignment, or what follows on it, limits the bucket now. */
  get assigned(): boolean {
    this.#settle();
    return this.#state !== 'unassigned';
  }

  /** Applies an assignment; what an equal strategy has counted is kept. `timeToLiveMs` may be Infinity. */
  assign(strategy: QuotaStrategy, timeToLiveMs: number): void {
    this.#settle();
    this.#limitBy(strategy);
    this.#state = 'assigned';
    this.#endMs = this.#clock.nowMs() + timeToLiveMs;
  }

  #settle(): void {
    const nowMs = this.#clock.nowMs();
    while (nowMs >= this.#endMs) this.#expire();
  }

  #expire(): void {
    const { expired } = this.behavior;
    if (this.#state === 'assigned' && expired !== null) {
      this.#state = 'expired';
      if (expired.strategy !== null) this.#limitBy(expired.strategy);
      this.#endMs += expired.timeoutMs;
      return;
    }
    this.#state = 'unassigned';
    this.#limit = this.#unassigned;
    this.#endMs = Number.POSITIVE_INFINITY;
  }

  #limitBy(strategy: QuotaStrategy): void {
    const before = this.#limit === this.#unassigned ? null : this.#limit;
    this.#limit = replaceLimit(before, strategy, this.#clock);
  }
}
