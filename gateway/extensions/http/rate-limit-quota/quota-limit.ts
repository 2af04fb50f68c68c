import { TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { QuotaStrategy } from './quota-strategy.ts';

/** A strategy at work: what it has counted. */
export interface QuotaLimit {
  readonly strategy: QuotaStrategy;
  /** Takes one request; false: it is too many. */
  allows(): boolean;
}

/** Puts a strategy to work, from now on. */
export function createLimit(strategy: QuotaStrategy, clock: Clock): QuotaLimit {
  switch (strategy.kind) {
    case 'token_bucket':
      return new TokenLimit(strategy, new TokenBucket(strategy.settings, clock));
    case 'per_time_unit':
      return new WindowLimit(strategy, strategy.requests, strategy.unitMs, clock);
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
