import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/** Told what did not pass by itself. */
export interface PatienceOwner {
  onPatienceOver(problem: string): void;
}

/** Gives a problem time to pass by itself before it is told, once: a certificate whose key is still being written. */
export class Patience implements TimerTarget {
  readonly #waitMs: number;
  readonly #owner: PatienceOwner;
  readonly #timer: Timer;
  #problem = '';
  #told = '';

  constructor(timers: Timers, waitMs: number, owner: PatienceOwner) {
    this.#waitMs = waitMs;
    this.#owner = owner;
    this.#timer = timers.create(this);
  }

  /** The problem that is waited out, or ''. */
  get waiting(): string {
    return this.#timer.enabled ? this.#problem : '';
  }

  /** There is a problem. The time runs from the first; the latest is what will be told. */
  wait(problem: string): void {
    this.#problem = problem;
    if (!this.#timer.enabled && problem !== this.#told) this.#timer.enable(this.#waitMs);
  }

  /** All is well again, or somebody else has told. */
  end(): void {
    this.#timer.disable();
    this.#problem = '';
    this.#told = '';
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#told = this.#problem;
    this.#owner.onPatienceOver(this.#problem);
  }
}
