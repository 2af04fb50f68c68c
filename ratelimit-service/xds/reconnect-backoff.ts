import type { Random } from '#gateway/runtime/random.ts';

/** How the pauses grow, milliseconds. */
export interface ReconnectBackoffOptions {
  /** XDS_CLIENT_BACKOFF_INITIAL_INTERVAL */
  readonly initialMs: number;
  /** XDS_CLIENT_BACKOFF_MAX_INTERVAL */
  readonly maxMs: number;
  /** XDS_CLIENT_BACKOFF_RANDOM_FACTOR: a pause is this many times the one before; up to 1 it is that much longer. */
  readonly factor: number;
  /** XDS_CLIENT_BACKOFF_JITTER: the second half of each pause is random. */
  readonly jitter: boolean;
}

/**
 * Pauses before a management server is tried again. The reference takes the factor, 0.5 by default, for the growth itself:
 * its pauses never grow. Half of a pause stays fixed, so that jitter does not turn into a storm.
 */
export class ReconnectBackoff {
  readonly #options: ReconnectBackoffOptions;
  readonly #random: Random;
  #nextMs: number;

  constructor(options: ReconnectBackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#nextMs = options.initialMs;
  }

  /** The pause to make now, milliseconds; the next one is longer. */
  nextMs(): number {
    const { maxMs, factor, jitter } = this.#options;
    const ms = Math.min(this.#nextMs, maxMs);
    this.#nextMs = Math.min(maxMs, ms * (factor > 1 ? factor : 1 + factor));
    return jitter ? ms / 2 + (ms / 2) * this.#random.next() : ms;
  }

  /** Begins anew: the server has answered. */
  reset(): void {
    this.#nextMs = this.#options.initialMs;
  }
}
