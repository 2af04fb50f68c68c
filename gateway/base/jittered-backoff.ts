import type { Random } from '#gateway/runtime/random.ts';

/** Delays between attempts, fully jittered: a draw below a ceiling that doubles from `baseMs` to `maxMs`. Envoy's for xDS. */
export class JitteredBackoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: Random;
  #ceilingMs: number;

  constructor(baseMs: number, maxMs: number, random: Random) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
    this.#random = random;
    this.#ceilingMs = baseMs;
  }

  /** Milliseconds to wait now; the next answer may be up to twice as long. */
  nextMs(): number {
    const delayMs = Math.floor(this.#random.next() * this.#ceilingMs);
    this.#ceilingMs = Math.min(this.#maxMs, this.#ceilingMs * 2);
    return delayMs;
  }

  /** Begins anew: something worked. */
  reset(): void {
    this.#ceilingMs = this.#baseMs;
  }
}
