import { readFileSync } from 'node:fs';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import type { Logger, LogRegistry } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { withNamedFile } from '../config/failure-text.ts';
import type { RedisSettings, Settings } from '../config/settings.ts';
import { createRedisClient } from '../store/connect-redis.ts';
import type { CounterStore } from '../store/counter-store.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { PerSecondStore } from '../store/per-second-store.ts';
import type { RedisStats } from '../store/redis-stats.ts';
import { RedisStore } from '../store/redis-store.ts';
import { type RedisTls, shownUrl } from '../store/redis-target.ts';
import { waitForRedis } from '../store/wait-for-redis.ts';

/** What opening a store needs. */
export interface OpenStoreOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
}

/** Longest pauses between attempts to connect again, the first and all others, milliseconds. */
const firstReconnectMs = 100;
const longestReconnectMs = 2000;

/**
 * Opens the store that the settings name and waits until it answers, when it is `needed`; else for a moment only, and goes on
 * trying. Null when `stopped` became true meanwhile.
 */
export async function openStore(
  options: OpenStoreOptions,
  stats: RedisStats,
  needed: boolean,
  stopped: () => boolean,
): Promise<CounterStore | null> {
  const { settings, clock, random } = options;
  if (settings.BACKEND_TYPE === 'memory') {
    return new MemoryStore(clock, settings.MEMORY_MAX_COUNTERS, random.uint32());
  }
  const main = await openRedis(options, settings.redis, 'redis_pool', stats, needed, stopped);
  if (main === null || settings.redisPerSecond === null) return main;
  const perSecond = await openRedis(options, settings.redisPerSecond, 'redis_per_second_pool', stats, needed, stopped);
  if (perSecond !== null) return new PerSecondStore(main, perSecond);
  main.close();
  return null;
}

async function openRedis(
  { settings, clock, timers, random, logs }: OpenStoreOptions,
  redis: RedisSettings,
  pool: string,
  stats: RedisStats,
  needed: boolean,
  stopped: () => boolean,
): Promise<CounterStore | null> {
  const log = logs.get('redis');
  const reconnect = new JitteredBackoff(firstReconnectMs, longestReconnectMs, random);
  const client = createRedisClient({ ...redis, tls: redis.tls ? readTls(settings) : null }, log, reconnect);
  const store = new RedisStore(client, {
    jitterMaxSeconds: settings.EXPIRATION_JITTER_MAX_SECONDS,
    callTimeoutMs: settings.REDIS_CALL_TIMEOUT,
    connectTimeoutMs: redis.timeoutMs,
    maxInFlight: settings.REDIS_MAX_IN_FLIGHT,
    breaker: {
      consecutiveFailures: settings.REDIS_BREAKER_CONSECUTIVE_FAILURES,
      failureShare: settings.REDIS_BREAKER_FAILURE_SHARE,
      minimumBatches: settings.REDIS_BREAKER_MIN_BATCHES,
      windowMs: settings.REDIS_BREAKER_WINDOW,
      backoffMs: settings.REDIS_BREAKER_BACKOFF,
      maxBackoffMs: settings.REDIS_BREAKER_MAX_BACKOFF,
    },
    clock,
    timers,
    random,
    reconnect,
    stats,
    log,
    name: shownUrl(redis.url),
    pool: stats.addPool(pool),
  });
  const backoff = {
    initialMs: settings.REDIS_STARTUP_INITIAL_INTERVAL,
    maxMs: settings.REDIS_STARTUP_MAX_INTERVAL,
    maxElapsedMs: settings.REDIS_STARTUP_MAX_ELAPSED_TIME,
    answerMs: redis.timeoutMs,
  };
  const name = shownUrl(redis.url);
  const ended = (): boolean => stopped() || store.closed;
  const waiting = waitForRedis(client, name, backoff, { timers, log, stopped: ended });
  if (!needed) return await openWithoutWaiting(store, waiting, name, { timers, log, waitMs: backoff.initialMs });
  try {
    if (await waiting) return store;
  } catch (error) {
    store.close();
    throw error;
  }
  store.close();
  return null;
}

/** The store, as soon as it answers or a moment later: until then it tells errors, and what they come to is the caller's. */
async function openWithoutWaiting(
  store: RedisStore,
  waiting: Promise<boolean>,
  name: string,
  world: { readonly timers: Timers; readonly log: Logger; readonly waitMs: number },
): Promise<CounterStore | null> {
  const { timers, log, waitMs } = world;
  const first = await new Promise<'answered' | 'stopped' | 'later'>((resolve) => {
    const timer = timers.create({ onTimer: () => resolve('later') });
    timer.enable(waitMs);
    void waiting.then((answered) => {
      timer.disable();
      resolve(answered ? 'answered' : 'stopped');
    });
  });
  if (first === 'stopped') {
    store.close();
    return null;
  }
  if (first === 'later') {
    log.warning(`redis ${name} does not answer: the service starts without it, failure_mode decides what it answers`);
    void waiting.then((answered) => {
      if (answered) log.warning(`redis ${name} answers`);
    });
  }
  return store;
}

function readTls(settings: Settings): RedisTls {
  return {
    ca: readOptional('REDIS_TLS_CACERT', settings),
    cert: readOptional('REDIS_TLS_CLIENT_CERT', settings),
    key: readOptional('REDIS_TLS_CLIENT_KEY', settings),
    skipHostname: settings.REDIS_TLS_SKIP_HOSTNAME_VERIFICATION,
  };
}

type TlsFile = 'REDIS_TLS_CACERT' | 'REDIS_TLS_CLIENT_CERT' | 'REDIS_TLS_CLIENT_KEY';

function readOptional(name: TlsFile, { [name]: path }: Pick<Settings, TlsFile>): string | null {
  return path === '' ? null : withNamedFile(name, path, () => readFileSync(path, 'utf8'));
}
