import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { RetryPolicy } from '#proto-types/envoy/config/core/v3/base_pb.ts';

const defaultBaseMs = 25;
const maxFactor = 10;

/** What waiting before another attempt needs. */
export interface RetryTools {
  readonly timers: Timers;
  readonly random: Random;
}

/** The gateway's own calls that are tried again: a compiled envoy.config.core.v3.RetryPolicy. */
export class RetryRules {
  readonly retries: number;
  readonly words: ReadonlySet<string>;
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: Random;

  constructor({ numRetries, retryOn, retryBackOff }: RetryPolicy, random: Random) {
    this.retries = numRetries ?? 1;
    this.words = new Set(retryOn.split(',').map((word) => word.trim()));
    this.#baseMs = durationMs(retryBackOff?.baseInterval, defaultBaseMs);
    this.#maxMs = durationMs(retryBackOff?.maxInterval, this.#baseMs * maxFactor);
    this.#random = random;
  }

  /** Milliseconds to wait before retry number `retry` (from 1): fully jittered exponential back-off. */
  delayMs(retry: number): number {
    const span = Math.min(this.#maxMs, this.#baseMs * (2 ** retry - 1));
    return Math.floor(this.#random.next() * span);
  }
}
