import type { Cancellable } from '#gateway/api/upstream.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { RetryRules, RetryTools } from './retry-rules.ts';

/** One of the gateway's own calls with its attempts: begun, begun again after a back-off, or cancelled. */
export abstract class RetriedExchange implements Cancellable, TimerTarget {
  protected readonly rules: RetryRules;
  readonly #tools: RetryTools;
  #retries = 0;
  #call: Cancellable | null = null;
  #timer: Timer | null = null;
  /** The outcome was told, or the call was cancelled. */
  done = false;

  constructor(rules: RetryRules, tools: RetryTools) {
    this.rules = rules;
    this.#tools = tools;
  }

  /** Begins one attempt; null when its outcome was told before it returned. */
  protected abstract begin(): Cancellable | null;

  /** Begins the first attempt, or the next. */
  start(): void {
    const call = this.begin();
    if (!this.done && this.#timer?.enabled !== true) this.#call = call;
  }

  /** Begins another attempt after the back-off; false when none is left. */
  protected again(): boolean {
    if (this.rules.retries <= this.#retries) return false;
    this.#retries++;
    this.#call = null;
    this.#timer ??= this.#tools.timers.create(this);
    this.#timer.enable(this.rules.delayMs(this.#retries));
    return true;
  }

  onTimer(): void {
    this.start();
  }

  cancel(): void {
    this.done = true;
    this.#timer?.disable();
    this.#call?.cancel();
    this.#call = null;
  }
}
