import { TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { type QuotaStrategy, sameStrategy } from './quota-strategy.ts';

/** A strategy at work: what it has counted. */
export interface QuotaLimit {
  readonly strategy: QuotaStrategy;
  /** Takes one request; false: it is too many. */
  allows(): boolean;
}

/** Puts a strategy to work, from now on. */
export function createLimit(strategy: QuotaStrategy, clock: Clock): QuotaLimit {
  return replaceLimit(null, strategy, clock);
}

/**
 * Puts a strategy in the place of another, so that the change itself is no new burst: an equal one goes on, a token bucket is
 * as full as the one before, in proportion, and a count in the same time unit is kept.
 */
export function replaceLimit(before: QuotaLimit | null, strategy: QuotaStrategy, clock: Clock): QuotaLimit {
  if (before !== null && sameStrategy(before.strategy, strategy)) return before;
  switch (strategy.kind) {
    case 'token_bucket': {
      const { settings } = strategy;
      const fullness = before instanceof TokenLimit ? before.fullness : 1;
      return new TokenLimit(strategy, new TokenBucket(settings, clock, Math.floor(settings.maxTokens * fullness)));
    }
    case 'per_time_unit': {
      const { requests, unitMs } = strategy;
      const limit = new WindowLimit(strategy, requests, unitMs, clock);
      if (before instanceof WindowLimit) limit.goOnFrom(before);
      return limit;
    }
    default:
      return new BlanketLimit(strategy);
  }
}

class BlanketLimit implements QuotaLimit {
  readonly strategy: QuotaStrategy;
  readonly #passes: boolean;

  constructor(strategy: QuotaStrategy) {
    this.strategy = strategy;
    this.#passes = strategy.kind === 'allow_all';
  }

  allows(): boolean {
    return this.#passes;
  }
}

class TokenLimit implements QuotaLimit {
  readonly strategy: QuotaStrategy;
  readonly #bucket: TokenBucket;

  constructor(strategy: QuotaStrategy, bucket: TokenBucket) {
    this.strategy = strategy;
    this.#bucket = bucket;
  }

  /** Share of the tokens that are left. */
  get fullness(): number {
    return this.#bucket.fullness;
  }

  allows(): boolean {
    return this.#bucket.consume(1);
  }
}

/** So many requests in each window of one time unit; the first begins when the strategy is put to work. */
class WindowLimit implements QuotaLimit {
  readonly strategy: QuotaStrategy;
  readonly #requests: number;
  readonly #unitMs: number;
  readonly #clock: Clock;
  #startMs: number;
  #taken = 0;

  constructor(strategy: QuotaStrategy, requests: number, unitMs: number, clock: Clock) {
    this.strategy = strategy;
    this.#requests = requests;
    this.#unitMs = unitMs;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
  }

  /** Keeps the window of another limit, if it is as long. */
  goOnFrom(before: WindowLimit): void {
    if (before.#unitMs !== this.#unitMs) return;
    this.#startMs = before.#startMs;
    this.#taken = before.#taken;
  }

  allows(): boolean {
    const sinceMs = this.#clock.nowMs() - this.#startMs;
    if (sinceMs >= this.#unitMs) {
      this.#startMs += Math.floor(sinceMs / this.#unitMs) * this.#unitMs;
      this.#taken = 0;
    }
    if (this.#taken >= this.#requests) return false;
    this.#taken++;
    return true;
  }
}
