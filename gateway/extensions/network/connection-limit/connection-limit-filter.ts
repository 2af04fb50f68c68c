import type { ConnectionCallbacks, ConnectionEvent } from '#gateway/api/connection.ts';
import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge } from '#gateway/stats/stats.ts';

/** What all connections of one filter share. */
export interface ConnectionLimitConfig {
  readonly enabled: () => boolean;
  readonly maxConnections: number;
  /** Milliseconds a refused connection is kept before it is closed. */
  readonly delayMs: number;
  readonly timers: Timers;
  readonly limited: Counter;
  readonly active: Gauge;
  /** Connections that are open now, refused ones that still wait included. */
  open: number;
}

/** Closes connections above a number, at once or after a delay. Envoy's connection_limit filter. */
export class ConnectionLimitFilter implements NetworkFilter, ConnectionCallbacks, TimerTarget {
  readonly #config: ConnectionLimitConfig;
  #callbacks!: NetworkFilterCallbacks;
  #counted = false;
  #refused = false;
  #timer: Timer | null = null;

  constructor(config: ConnectionLimitConfig) {
    this.#config = config;
  }

  initialize(callbacks: NetworkFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    const config = this.#config;
    if (!config.enabled()) return NetworkFilterStatus.Continue;
    this.#refused = config.open >= config.maxConnections;
    this.#counted = true;
    config.open++;
    config.active.inc();
    this.#callbacks.connection.addCallbacks(this);
    if (!this.#refused) return NetworkFilterStatus.Continue;
    config.limited.inc();
    if (config.delayMs > 0) {
      // What it sends meanwhile is not read: it would be kept in memory for nothing.
      this.#callbacks.connection.readDisable(true);
      this.#timer = config.timers.create(this);
      this.#timer.enable(config.delayMs);
    } else {
      this.#close();
    }
    return NetworkFilterStatus.StopIteration;
  }

  onData(): NetworkFilterStatus {
    return this.#refused ? NetworkFilterStatus.StopIteration : NetworkFilterStatus.Continue;
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#close();
  }

  /** @see ConnectionCallbacks */
  onConnectionEvent(event: ConnectionEvent): void {
    if (event === 'connected' || !this.#counted) return;
    this.#counted = false;
    this.#timer?.disable();
    this.#timer = null;
    this.#config.open--;
    this.#config.active.dec();
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  #close(): void {
    const { connection } = this.#callbacks;
    if (connection.state !== 'closed') connection.close('flush', 'over_connection_limit');
  }
}
