import type { Cluster, Redis } from 'ioredis';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { createRedisClient } from '#ratelimit/store/connect-redis.ts';
import type { CounterStore } from '#ratelimit/store/counter-store.ts';
import { RedisStats } from '#ratelimit/store/redis-stats.ts';
import { RedisStore, type RedisStoreOptions } from '#ratelimit/store/redis-store.ts';
import type { RedisTarget } from '#ratelimit/store/redis-target.ts';
import { type StartBackoff, waitForRedis } from '#ratelimit/store/wait-for-redis.ts';

/** A store on a real Redis, with its client and what it counts. */
export interface OpenedStore {
  readonly store: RedisStore;
  readonly client: Redis;
  readonly stats: RedisStats;
}

const timers = createSystemTimers(systemClock);

/** A log that keeps nothing. */
export const silentLog: Logger = new Logger('redis', { write: () => {} }, 'off');

/** A target on the loopback interface. */
export function redisTarget(target: Partial<RedisTarget>): RedisTarget {
  return {
    type: 'single',
    url: '',
    socketType: 'tcp',
    auth: '',
    sentinelAuth: '',
    tls: null,
    timeoutMs: 2000,
    ...target,
  };
}

/** Connects to `127.0.0.1:port`, or as `target` says. Calls have two seconds unless `options` say otherwise. */
export async function openRedisStore(
  port: number,
  options: Partial<RedisStoreOptions> = {},
  target: Partial<RedisTarget> = {},
  start: StartBackoff = { initialMs: 50, maxMs: 50, maxElapsedMs: 10_000, answerMs: 2000 },
): Promise<OpenedStore> {
  const random = createSeededRandom(1);
  const stats = new RedisStats();
  const url = target.url ?? `127.0.0.1:${port}`;
  const reconnect = new JitteredBackoff(20, 200, random);
  const client: Redis | Cluster = createRedisClient(redisTarget({ ...target, url }), silentLog, reconnect);
  const store = new RedisStore(client, {
    jitterMaxSeconds: 0,
    callTimeoutMs: 2000,
    connectTimeoutMs: 2000,
    maxInFlight: 10_000,
    breaker: {
      consecutiveFailures: 5,
      failureShare: 0.5,
      minimumBatches: 20,
      windowMs: 1000,
      backoffMs: 20,
      maxBackoffMs: 200,
    },
    clock: systemClock,
    timers,
    random,
    reconnect,
    stats,
    log: silentLog,
    name: url,
    pool: stats.addPool('redis_pool'),
    ...options,
  });
  try {
    await waitForRedis(client, url, start, { timers, log: silentLog, stopped: () => false });
  } catch (error) {
    store.close();
    throw error;
  }
  return { store, client: client as Redis, stats };
}

/** Adds to a counter of a minute; answers the number, or throws what the store says. */
export async function addTo(store: CounterStore, key: string, hits = 1): Promise<number> {
  return await new Promise((resolve, reject) => {
    store.add(
      key,
      hits,
      0,
      60,
      {
        onCounter: (_index, after) => resolve(after),
        onCounterError: (_index, message) => reject(new Error(message)),
      },
      0,
    );
  });
}
