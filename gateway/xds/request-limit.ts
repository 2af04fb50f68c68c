import type { Clock } from '#gateway/runtime/clock.ts';
import type { RateLimitSettings } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';

/** Envoy's defaults where `rate_limit_settings` is set without numbers. */
const defaultMaxTokens = 100;
const defaultFillPerSecond = 10;

/** A token bucket over the requests of a stream: `rate_limit_settings`. */
export class RequestLimit {
  readonly #max: number;
  readonly #perMs: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledMs: number;

  constructor(settings: RateLimitSettings, clock: Clock) {
    this.#max = settings.maxTokens ?? defaultMaxTokens;
    this.#perMs = (settings.fillRate ?? defaultFillPerSecond) / 1000;
    this.#clock = clock;
    this.#tokens = this.#max;
    this.#filledMs = clock.nowMs();
  }

  /** 0 when a request may go now (and is counted), else how many milliseconds from now one may. */
  takeOrWaitMs(): number {
    const nowMs = this.#clock.nowMs();
    this.#tokens = Math.min(this.#max, this.#tokens + (nowMs - this.#filledMs) * this.#perMs);
    this.#filledMs = nowMs;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return 0;
    }
    return Math.ceil((1 - this.#tokens) / this.#perMs);
  }
}
