import type { Clock } from '#gateway/runtime/clock.ts';

/** Size and rate of a token bucket: envoy.type.v3.TokenBucket. */
export interface BucketSettings {
  readonly maxTokens: number;
  readonly tokensPerSecond: number;
}

/** A token bucket that fills evenly as time passes. Starts with `tokens`, or full. */
export class TokenBucket {
  readonly settings: BucketSettings;
  readonly #clock: Clock;
  #tokens: number;
  #atMs: number;

  constructor(settings: BucketSettings, clock: Clock, tokens: number = settings.maxTokens) {
    this.settings = settings;
    this.#clock = clock;
    this.#tokens = tokens;
    this.#atMs = clock.nowMs();
  }

  /** Takes `tokens`, all or none. */
  consume(tokens: number): boolean {
    this.#fill();
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** Takes as many whole tokens as there are, up to `tokens`; how many. */
  consumeUpTo(tokens: number): number {
    this.#fill();
    const taken = Math.min(tokens, Math.floor(this.#tokens));
    this.#tokens -= taken;
    return taken;
  }

  /** Whole tokens left now. */
  get remaining(): number {
    this.#fill();
    return Math.floor(this.#tokens);
  }

  /** How full it is now: 0 to 1. */
  get fullness(): number {
    this.#fill();
    const { maxTokens } = this.settings;
    return maxTokens === 0 ? 0 : this.#tokens / maxTokens;
  }

  /** Whole seconds, rounded up, until there is a token; 0 when there is one. */
  get secondsToNext(): number {
    this.#fill();
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.settings.tokensPerSecond);
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs();
    const { maxTokens, tokensPerSecond } = this.settings;
    this.#tokens = Math.min(maxTokens, this.#tokens + ((nowMs - this.#atMs) / 1000) * tokensPerSecond);
    this.#atMs = nowMs;
  }
}
