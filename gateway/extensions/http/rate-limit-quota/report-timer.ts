import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { QuotaBucket } from './quota-bucket.ts';

/** Told when buckets of one interval are due. */
export interface ReportTimerOwner {
  onReportDue(due: ReportTimer): void;
}

/** The buckets with one reporting interval: they are reported together, from the first of them on. */
export class ReportTimer implements TimerTarget {
  readonly intervalMs: number;
  readonly buckets: Set<QuotaBucket> = new Set();
  readonly #owner: ReportTimerOwner;
  readonly #timer: Timer;

  constructor(intervalMs: number, timers: Timers, owner: ReportTimerOwner) {
    this.intervalMs = intervalMs;
    this.#owner = owner;
    this.#timer = timers.create(this);
  }

  add(bucket: QuotaBucket): void {
    this.buckets.add(bucket);
    if (!this.#timer.enabled) this.#timer.enable(this.intervalMs);
  }

  /** The timer stops by itself when it is due without a bucket. */
  remove(bucket: QuotaBucket): void {
    this.buckets.delete(bucket);
  }

  stop(): void {
    this.#timer.disable();
  }

  onTimer(): void {
    if (this.buckets.size === 0) return;
    this.#timer.enable(this.intervalMs);
    this.#owner.onReportDue(this);
  }
}
