import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';

/** When a circuit opens and when it is tried again. */
export interface BreakerOptions {
  /** This many batches that fail one after the other open it; 0: never. */
  readonly consecutiveFailures: number;
  /** This share of the batches of a window that fail opens it, 0 to 1; 0: never. */
  readonly failureShare: number;
  /** The share is not looked at before a window has this many batches. */
  readonly minimumBatches: number;
  /** Length of a window, milliseconds. */
  readonly windowMs: number;
  /** Longest first pause; it doubles with every probe that fails, milliseconds. */
  readonly backoffMs: number;
  /** Longest pause, milliseconds. */
  readonly maxBackoffMs: number;
}

/** Closed: everything is sent. Open: nothing. HalfOpen: one batch is on its way to find out. */
export const BreakerState = { Closed: 0, Open: 1, HalfOpen: 2 } as const;
/** @see BreakerState */
export type BreakerState = (typeof BreakerState)[keyof typeof BreakerState];

/** A batch that may not be sent. */
export const refusedTicket = 0;

/**
 * Decides whether a batch is sent, from how those before it fared. Each gets a ticket, and what becomes of it is told with
 * the ticket: a batch of an earlier state, which may fail long after, says nothing about the present one.
 */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  #state: BreakerState = BreakerState.Closed;
  #ticket = 1;
  #failuresInRow = 0;
  #windowStartMs = 0;
  #windowBatches = 0;
  #windowFailures = 0;
  #retryAtMs = 0;
  #ceilingMs: number;

  constructor(options: BreakerOptions, clock: Clock, random: Random) {
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#ceilingMs = options.backoffMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether everything is refused for some time to come. */
  get refusing(): boolean {
    return this.#state === BreakerState.Open && this.#clock.nowMs() < this.#retryAtMs;
  }

  /** The ticket of one batch, or {@link refusedTicket}. After the pause the first to ask is the probe. */
  admit(): number {
    if (this.#state === BreakerState.Closed) return this.#ticket;
    if (this.#state === BreakerState.HalfOpen || this.#clock.nowMs() < this.#retryAtMs) return refusedTicket;
    this.#enter(BreakerState.HalfOpen);
    return this.#ticket;
  }

  /** A batch was answered. Answers whether this closed the circuit. */
  onSuccess(ticket: number): boolean {
    if (ticket !== this.#ticket) return false;
    if (this.#state === BreakerState.HalfOpen) {
      this.#ceilingMs = this.#options.backoffMs;
      this.#windowBatches = 0;
      this.#windowFailures = 0;
      this.#failuresInRow = 0;
      this.#enter(BreakerState.Closed);
      return true;
    }
    this.#failuresInRow = 0;
    if (this.#options.failureShare > 0) this.#countInWindow();
    return false;
  }

  /** A batch failed. Answers whether the circuit is open because of it, or stays so. */
  onFailure(ticket: number): boolean {
    if (ticket !== this.#ticket) return false;
    if (this.#state === BreakerState.HalfOpen) {
      this.#ceilingMs = Math.min(this.#options.maxBackoffMs, this.#ceilingMs * 2);
      this.#open();
      return true;
    }
    const { consecutiveFailures, failureShare, minimumBatches } = this.#options;
    this.#failuresInRow++;
    let opens = consecutiveFailures > 0 && this.#failuresInRow >= consecutiveFailures;
    if (failureShare > 0) {
      this.#countInWindow();
      this.#windowFailures++;
      opens ||= this.#windowBatches >= minimumBatches && this.#windowFailures >= failureShare * this.#windowBatches;
    }
    if (opens) this.#open();
    return opens;
  }

  #countInWindow(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowStartMs >= this.#options.windowMs) {
      this.#windowStartMs = nowMs;
      this.#windowBatches = 0;
      this.#windowFailures = 0;
    }
    this.#windowBatches++;
  }

  /** Half of the pause is chance, so that several services do not all try at once. */
  #open(): void {
    this.#retryAtMs = this.#clock.nowMs() + (this.#ceilingMs * (1 + this.#random.next())) / 2;
    this.#enter(BreakerState.Open);
  }

  #enter(state: BreakerState): void {
    this.#state = state;
    this.#ticket++;
  }
}
