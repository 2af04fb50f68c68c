import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/** Told that nothing happened for too long. */
export interface IdleOwner {
  onIdle(): void;
}

/**
 * An idle timeout that changes owners. A slot whose stream has ended stays armed and is handed to the next one, because
 * moving a deadline later costs two stores where disarming costs more; going off without an owner does nothing.
 */
export class IdleSlot implements TimerTarget {
  readonly #timer: Timer;
  owner: IdleOwner | null = null;

  constructor(timers: Timers) {
    this.#timer = timers.create(this);
  }

  /** (Re)starts the timeout; 0 stops it. */
  touch(timeoutMs: number): void {
    if (timeoutMs > 0) this.#timer.enable(timeoutMs);
    else this.#timer.disable();
  }

  /** Takes the timer off the wheel, when there will be no next owner. */
  stop(): void {
    this.owner = null;
    this.#timer.disable();
  }

  onTimer(): void {
    this.owner?.onIdle();
  }
}
