import type { Redis } from 'ioredis';
import type { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import { ConnectionWatch, type ConnectionWatchOptions } from './connection-watch.ts';
import type { RedisLink } from './redis-link.ts';

/** The way to one server, or to the master that sentinels name. */
export class ServerLink implements RedisLink {
  readonly redirects: null = null;
  readonly #redis: Redis;
  readonly #watch: ConnectionWatch;
  readonly #options: ConnectionWatchOptions;
  readonly #reconnect: JitteredBackoff;
  #connections = -1;

  /** `reconnect`: the pauses that the client makes between attempts. */
  constructor(redis: Redis, reconnect: JitteredBackoff, options: ConnectionWatchOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#reconnect = reconnect;
    this.#watch = new ConnectionWatch(redis, options);
  }

  get client(): Redis | null {
    return this.#watch.ready ? this.#redis : null;
  }

  get problem(): string {
    return this.#watch.problem;
  }

  renew(): void {
    if (!this.#watch.ready) return;
    this.#options.stats.renewed++;
    this.#watch.end(true);
  }

  onWorking(): void {
    // Once a connection: only one that works shows that the pauses were long enough.
    const { cxTotal } = this.#options.pool;
    if (this.#connections === cxTotal) return;
    this.#connections = cxTotal;
    this.#reconnect.reset();
  }
}
