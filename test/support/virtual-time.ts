import type { Clock } from '#gateway/runtime/clock.ts';
import { type Timers, TimerWheel } from '#gateway/runtime/timers.ts';

/** A clock that stands still until a test moves it, with timers that go off as it moves. */
export class VirtualTime implements Clock {
  readonly timers: Timers;
  readonly #wheel: TimerWheel;
  #nowMs = 1000;
  readonly #wallOffsetMs: number;

  constructor(startWallMs = 1_700_000_000_000) {
    this.#wallOffsetMs = startWallMs;
    this.#wheel = new TimerWheel(this, { at: () => {}, cancel: () => {} });
    this.timers = this.#wheel;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  /** Moves time on in small steps, so that timers go off in their order and at their time. */
  advance(milliseconds: number): void {
    const end = this.#nowMs + milliseconds;
    while (this.#nowMs < end) {
      this.#nowMs = Math.min(end, this.#nowMs + 8);
      this.#wheel.run();
    }
  }
}
