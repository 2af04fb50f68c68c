import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '#gateway/base/log.ts';
import type { Timers } from '#gateway/runtime/timers.ts';

/** Where and how to reach Redis. */
export interface RedisTarget {
  readonly type: 'single' | 'sentinel' | 'cluster';
  /** `host:port`, a socket's path, `master,host:port,...` for sentinel, `host:port,...` for a cluster. */
  readonly url: string;
  readonly socketType: 'tcp' | 'unix';
  /** `password` or `user:password`; empty for none. */
  readonly auth: string;
  readonly sentinelAuth: string;
  /** Null: no TLS. */
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
    readonly skipHostname: boolean;
  } | null;
  /** Longest wait for a connection, milliseconds. */
  readonly timeoutMs: number;
}

/** How long to wait between attempts at start, milliseconds. */
export interface StartBackoff {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Give up after this long; 0 is never. */
  readonly maxElapsedMs: number;
}

/** Makes a client that fails at once while there is no connection and reconnects by itself. */
export function createRedisClient(target: RedisTarget, log: Logger): Redis | Cluster {
  const options = clientOptions(target);
  const client = build(target, options);
  // Without a listener an error event ends the process; every call that is hit by it gets its own error.
  client.on('error', (error: Error) => {
    if (log.debugOn) log.debug(`redis: ${error.message}`);
  });
  return client;
}

function build(target: RedisTarget, options: ClientOptions): Redis | Cluster {
  if (target.type === 'cluster') {
    return new Cluster(target.url.split(',').map(hostPort), {
      redisOptions: options,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      lazyConnect: true,
    });
  }
  if (target.type === 'sentinel') {
    const [name = '', ...sentinels] = target.url.split(',');
    const auth = credentials(target.sentinelAuth);
    return new Redis({
      ...options,
      name,
      sentinels: sentinels.map(hostPort),
      ...(auth.username === undefined ? {} : { sentinelUsername: auth.username }),
      ...(auth.password === undefined ? {} : { sentinelPassword: auth.password }),
    });
  }
  if (target.socketType === 'unix') return new Redis({ ...options, path: target.url });
  return new Redis({ ...options, ...hostPort(target.url) });
}

/** What is the same for all kinds of servers. */
type ClientOptions = Omit<
  RedisOptions,
  'replyMapping' | 'host' | 'port' | 'path' | 'sentinels' | 'name' | 'retryStrategy'
> & {
  retryStrategy: (attempt: number) => number;
};

function clientOptions(target: RedisTarget): ClientOptions {
  const { tls } = target;
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: target.timeoutMs,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 8), 2000),
    ...credentials(target.auth || userInfo(target)),
    ...(tls === null
      ? {}
      : {
          tls: {
            ...(tls.ca === null ? {} : { ca: tls.ca }),
            ...(tls.cert === null ? {} : { cert: tls.cert }),
            ...(tls.key === null ? {} : { key: tls.key }),
            ...(tls.skipHostname ? { checkServerIdentity: () => undefined } : {}),
          },
        }),
  };
}

/** The first colon ends the user's name, so that a password may contain some; without one it is all password. */
function credentials(auth: string): { username?: string; password?: string } {
  if (auth === '') return {};
  const colon = auth.indexOf(':');
  if (colon === -1) return { password: auth };
  return { username: auth.slice(0, colon), password: auth.slice(colon + 1) };
}

/** `user:password` in front of the (first) host; '' without. */
function userInfo({ type, socketType, url }: RedisTarget): string {
  if (type === 'sentinel' || socketType === 'unix') return '';
  const [first = ''] = url.split(',');
  return first.slice(0, Math.max(0, first.lastIndexOf('@'))).replace(/^rediss?:\/\//, '');
}

/** Reads `host:port`; `redis://` and a user in front are allowed. */
function hostPort(text: string): { host: string; port: number } {
  const plain = text
    .trim()
    .replace(/^.*@/, '')
    .replace(/^rediss?:\/\//, '')
    .replace(/\/.*$/, '');
  const colon = plain.lastIndexOf(':');
  if (colon === -1) return { host: plain, port: 6379 };
  return { host: plain.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(plain.slice(colon + 1)) };
}

/**
 * Connects and waits for the first answer, trying again with growing pauses. Answers false when `stopped` became true
 * meanwhile; throws when the time to try is over.
 */
export async function waitForRedis(
  client: Redis | Cluster,
  url: string,
  backoff: StartBackoff,
  world: { readonly timers: Timers; readonly log: Logger; readonly stopped: () => boolean },
): Promise<boolean> {
  // The error of a refused call only says that there is no connection; why is told by the event.
  let reason: string | null = null;
  const note = (error: Error): void => {
    reason = error.message;
  };
  client.on('error', note);
  let pauseMs = backoff.initialMs;
  let elapsedMs = 0;
  while (!world.stopped()) {
    try {
      if (client.status === 'wait' || client.status === 'end') await client.connect();
      await client.ping();
      client.off('error', note);
      return true;
    } catch (error) {
      const message = reason ?? (error as Error).message;
      if (backoff.maxElapsedMs > 0 && elapsedMs >= backoff.maxElapsedMs) {
        throw new Error(`cannot reach redis at ${url}: ${message}`);
      }
      world.log.warning(`Retrying Redis connection to ${url} in ${pauseMs}ms (elapsed: ${elapsedMs}ms): ${message}`);
      await new Promise<void>((resolve) => {
        world.timers.create({ onTimer: () => resolve() }).enable(pauseMs);
      });
      elapsedMs += pauseMs;
      pauseMs = Math.min(pauseMs * 2, backoff.maxMs);
    }
  }
  return false;
}
