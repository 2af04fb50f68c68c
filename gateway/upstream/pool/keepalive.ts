import type { Connection } from '#gateway/api/connection.ts';
import type { Codec } from '#gateway/protocol/codec.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { KeepaliveOptions } from '../parse/http-options.ts';

/** Pings an HTTP/2 connection and closes it when an answer fails to come. Envoy's `connection_keepalive`. */
export class Keepalive implements TimerTarget {
  readonly #options: KeepaliveOptions;
  readonly #codec: Codec;
  readonly #connection: Connection;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #timeouts: Counter;
  readonly #sendTimer: Timer;
  readonly #answerTimer: Timer;
  #lastUseMs: number;

  constructor(
    options: KeepaliveOptions,
    codec: Codec,
    connection: Connection,
    runtime: { readonly timers: Timers; readonly random: Random; readonly clock: Clock },
    timeouts: Counter,
  ) {
    this.#options = options;
    this.#codec = codec;
    this.#connection = connection;
    this.#random = runtime.random;
    this.#clock = runtime.clock;
    this.#timeouts = timeouts;
    this.#sendTimer = runtime.timers.create(this);
    this.#answerTimer = runtime.timers.create(this);
    this.#lastUseMs = this.#clock.nowMs();
    this.#armInterval();
  }

  /** A stream starts: a connection that was idle for long is tried with a ping first. */
  onStreamStart(): void {
    const { idleIntervalMs } = this.#options;
    if (idleIntervalMs === 0) return;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lastUseMs >= idleIntervalMs) this.#ping();
    this.#lastUseMs = nowMs;
  }

  onPingAck(): void {
    this.#answerTimer.disable();
    this.#lastUseMs = this.#clock.nowMs();
    this.#armInterval();
  }

  onTimer(timer: Timer): void {
    if (timer === this.#sendTimer) {
      this.#ping();
      return;
    }
    this.#timeouts.inc();
    this.#connection.close('abort', 'http2.keepalive_timeout');
  }

  stop(): void {
    this.#sendTimer.disable();
    this.#answerTimer.disable();
  }

  #ping(): void {
    if (this.#answerTimer.enabled) return;
    this.#codec.ping();
    this.#answerTimer.enable(this.#options.timeoutMs);
  }

  #armInterval(): void {
    const { intervalMs, jitterPercent } = this.#options;
    if (intervalMs > 0) this.#sendTimer.enable(intervalMs * (1 + (this.#random.next() * jitterPercent) / 100));
  }
}
