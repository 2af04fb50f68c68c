import type { Redis } from 'ioredis';
import type { Logger } from '#gateway/base/log.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { PoolStats, RedisStats } from './redis-stats.ts';

/** What connections are counted in, and how long one may take. */
export interface ConnectionWatchOptions {
  readonly stats: RedisStats;
  readonly pool: PoolStats;
  readonly timers: Timers;
  /** A connection that is not ready this long after it was made is given up, milliseconds. REDIS_TIMEOUT */
  readonly connectTimeoutMs: number;
  readonly log: Logger;
  /** Which Redis it is, for the log. */
  readonly name: string;
}

/** What the client says when an answer comes that nobody asked for: from then on answers may belong to other questions. */
const outOfStep = 'Command queue state error';

/** Follows the connections of one client, one after the other: counts them and ends those that cannot be trusted. */
export class ConnectionWatch implements TimerTarget {
  readonly #redis: Redis;
  readonly #options: ConnectionWatchOptions;
  readonly #timer: Timer;
  #connected = false;
  #hadOne = false;
  /** Whether commands could be sent, as the log tells it: what fails in the handshake is neither lost nor there again. */
  #up = false;
  #wasUp = false;
  #lost = false;
  #toldError = '';
  #ending = false;
  #lastError = '';

  constructor(redis: Redis, options: ConnectionWatchOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#timer = options.timers.create(this);
    if (redis.status === 'ready' || redis.status === 'connect') this.#onConnect();
    redis.on('connect', () => this.#onConnect());
    if (redis.status === 'ready') this.#up = true;
    redis.on('ready', () => this.#onReady());
    redis.on('close', () => this.#onClose());
    redis.on('error', (error: Error) => this.#onError(error));
  }

  /** Whether commands can be sent. */
  get ready(): boolean {
    return this.#redis.status === 'ready' && !this.#ending;
  }

  /** Why there is no connection. */
  get problem(): string {
    return this.#lastError === '' ? 'redis: not connected' : `redis: not connected: ${this.#lastError}`;
  }

  /** Gives the connection up; the client makes another one when `reconnect` says so. */
  end(reconnect: boolean): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#redis.disconnect(reconnect);
  }

  /** The handshake hangs. */
  onTimer(): void {
    this.#lastError = `no answer within ${this.#options.connectTimeoutMs} ms`;
    this.end(true);
  }

  #onConnect(): void {
    const { pool, stats } = this.#options;
    this.#connected = true;
    this.#ending = false;
    pool.cxActive++;
    pool.cxTotal++;
    if (this.#hadOne) stats.reconnects++;
    this.#hadOne = true;
    if (this.#redis.status !== 'ready') this.#timer.enable(this.#options.connectTimeoutMs);
  }

  #onReady(): void {
    const { log, name } = this.#options;
    this.#timer.disable();
    // One that was given up is no news: why is told by the circuit.
    if (this.#lost) log.warning(`redis ${name} is connected again`);
    else if (this.#wasUp) log.info(`redis ${name} is connected again`);
    this.#up = true;
    this.#lost = false;
    this.#toldError = '';
  }

  #onClose(): void {
    const { pool, log, name } = this.#options;
    this.#timer.disable();
    if (this.#connected) {
      pool.cxActive--;
      if (this.#ending) pool.cxLocalClose++;
    }
    if (this.#up) {
      this.#up = false;
      this.#wasUp = true;
      this.#lost = !this.#ending;
      if (this.#lost) log.warning(`redis ${name}: the connection is lost`);
      else log.info(`redis ${name}: the connection was given up`);
    }
    this.#connected = false;
    this.#ending = false;
  }

  #onError(error: Error): void {
    this.#lastError = error.message;
    // Each reason once: attempts follow each other closely. At the start whoever waits for Redis tells it.
    if (this.#wasUp && !this.#up && this.#toldError !== error.message) {
      this.#toldError = error.message;
      this.#options.log.warning(`redis ${this.#options.name} cannot be used: ${error.message}`);
    }
    if (error.message.startsWith(outOfStep)) this.end(true);
  }
}
