import type { DrainState } from '#gateway/api/context.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';

/** How a drain spreads over its time: ever more connections are closed, or all at once. `--drain-strategy`. */
export type DrainStrategy = 'gradual' | 'immediate';

/** Whether, and how far, the server is going away. */
export class DrainManager implements DrainState {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timeMs: number;
  #strategy: DrainStrategy;
  #startMs = -1;
  #healthFailed: () => boolean = () => false;

  constructor(clock: Clock, random: Random, timeMs: number, strategy: DrainStrategy) {
    this.#clock = clock;
    this.#random = random;
    this.#timeMs = timeMs;
    this.#strategy = strategy;
  }

  /** How long a drain lasts, milliseconds. */
  get drainTimeMs(): number {
    return this.#timeMs;
  }

  /** Failed health checks also ask clients to leave. */
  watchHealth(failed: () => boolean): void {
    this.#healthFailed = failed;
  }

  /** Begins to drain; a second call changes nothing but the strategy, where one is given. */
  start(strategy: DrainStrategy = this.#strategy): void {
    this.#strategy = strategy;
    if (this.#startMs < 0) this.#startMs = this.#clock.nowMs();
  }

  get draining(): boolean {
    return this.#startMs >= 0;
  }

  drainClose(): boolean {
    if (this.#healthFailed()) return true;
    if (this.#startMs < 0) return false;
    if (this.#strategy === 'immediate' || this.#timeMs <= 0) return true;
    const passed = (this.#clock.nowMs() - this.#startMs) / this.#timeMs;
    return passed >= 1 || this.#random.next() < passed;
  }
}
