import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/** A connection without a word from the client for this long is asked whether it is there, milliseconds. */
export const keepAliveMs: number = 60_000;

/** And closed when it has not said anything this long after, milliseconds. */
export const keepAliveAnswerMs: number = 20_000;

/** The connection that is watched. */
export interface KeptAlive {
  sendPing(): void;
  onSilent(): void;
}

/** Watches one connection for as long as calls of long life are open on it: streams that may be silent for minutes. */
export class KeepAlive implements TimerTarget {
  readonly #timer: Timer;
  readonly #connection: KeptAlive;
  #calls = 0;
  #heard = false;
  #asked = false;

  constructor(timers: Timers, connection: KeptAlive) {
    this.#timer = timers.create(this);
    this.#connection = connection;
  }

  /** A call of long life begins or ends. */
  count(on: boolean): void {
    this.#calls += on ? 1 : -1;
    if (this.#calls === 0) this.#timer.disable();
    else if (on && this.#calls === 1) this.#watch();
  }

  /** Octets came from the client. */
  onHeard(): void {
    this.#heard = true;
  }

  onTimer(): void {
    if (this.#heard) this.#watch();
    else if (this.#asked) this.#connection.onSilent();
    else {
      this.#asked = true;
      this.#connection.sendPing();
      this.#timer.enable(keepAliveAnswerMs);
    }
  }

  close(): void {
    this.#timer.disable();
  }

  #watch(): void {
    this.#heard = false;
    this.#asked = false;
    this.#timer.enable(keepAliveMs);
  }
}
