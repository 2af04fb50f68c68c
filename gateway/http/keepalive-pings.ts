import type { ServerContext } from '#gateway/api/context.ts';
import type { Codec } from '#gateway/protocol/codec.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { KeepaliveOptions } from './manager-config.ts';

/** Sends HTTP/2 PINGs at intervals and gives up when one is not answered in time. Envoy's connection_keepalive. */
export class KeepalivePings implements TimerTarget {
  readonly #options: KeepaliveOptions;
  readonly #codec: Codec;
  readonly #server: ServerContext;
  readonly #onTimeout: () => void;
  readonly #interval: Timer;
  readonly #timeout: Timer;

  constructor(options: KeepaliveOptions, codec: Codec, server: ServerContext, onTimeout: () => void) {
    this.#options = options;
    this.#codec = codec;
    this.#server = server;
    this.#onTimeout = onTimeout;
    this.#interval = server.timers.create(this);
    this.#timeout = server.timers.create(this);
    this.#armInterval();
  }

  onPingAck(): void {
    if (!this.#timeout.enabled) return;
    this.#timeout.disable();
    this.#armInterval();
  }

  onTimer(timer: Timer): void {
    if (timer === this.#timeout) {
      this.#onTimeout();
      return;
    }
    this.#codec.ping();
    this.#timeout.enable(this.#options.timeoutMs);
  }

  stop(): void {
    this.#interval.disable();
    this.#timeout.disable();
  }

  #armInterval(): void {
    const { intervalMs, jitterPercent } = this.#options;
    if (intervalMs <= 0) return;
    this.#interval.enable(intervalMs + (intervalMs * jitterPercent * this.#server.random.next()) / 100);
  }
}
