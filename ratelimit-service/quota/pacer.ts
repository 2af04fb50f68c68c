import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Holding } from './holding.ts';

/** Something that may wait a little. */
export interface PacedTask {
  /** `holding` is what was passed to {@link Pacer.add}. */
  runPaced(holding: Holding | null): void;
}

/** Tasks that are run at once; further ones follow in steps of this time, milliseconds. */
const tasksPerStep = 500;
const stepMs = 8;

/**
 * Windows and leases of very many buckets end at the same moment. Runs what is to be done then in portions, so that neither
 * this process nor the store stands still: 500 every 8 ms.
 */
export class Pacer implements TimerTarget {
  readonly #clock: Clock;
  readonly #timer: Timer;
  #tasks: PacedTask[] = [];
  #holdings: (Holding | null)[] = [];
  #next = 0;
  #done = 0;
  #stepBeganMs: number = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timer = timers.create(this);
  }

  /** Runs the task now or, when there are many, soon; in the order in which they came. */
  add(task: PacedTask, holding: Holding | null): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#stepBeganMs >= stepMs) {
      this.#stepBeganMs = nowMs;
      this.#done = 0;
    }
    if (this.#tasks.length === 0 && this.#done < tasksPerStep) {
      this.#done++;
      task.runPaced(holding);
      return;
    }
    this.#tasks.push(task);
    this.#holdings.push(holding);
    if (!this.#timer.enabled) this.#timer.enable(stepMs);
  }

  onTimer(): void {
    const end = Math.min(this.#tasks.length, this.#next + tasksPerStep);
    while (this.#next < end) {
      const at = this.#next++;
      this.#tasks[at]!.runPaced(this.#holdings[at]!);
    }
    if (this.#next < this.#tasks.length) this.#timer.enable(stepMs);
    else {
      this.#tasks = [];
      this.#holdings = [];
      this.#next = 0;
    }
  }

  /** Forgets what waits. */
  close(): void {
    this.#timer.disable();
    this.#tasks = [];
    this.#holdings = [];
    this.#next = 0;
  }
}
