import { Cluster, Redis } from 'ioredis';
import type { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import type { Logger } from '#gateway/base/log.ts';
import { guardDecoder } from './decoder-guard.ts';
import { clientOptions, credentials, hostPort, type RedisTarget } from './redis-target.ts';
import { guardSockets } from './socket-guard.ts';

/** Longest wait for what a cluster says of its slots, milliseconds. */
const slotsTimeoutMs = 1000;

/** Pause before a script is sent again that met keys on their way between two nodes, milliseconds. */
const tryAgainMs = 10;

/** Makes a client that connects when it is told to, and then by itself with the pauses of `reconnect`. */
export function createRedisClient(target: RedisTarget, log: Logger, reconnect: JitteredBackoff): Redis | Cluster {
  guardDecoder();
  guardSockets();
  const client = build(target, reconnect);
  // Without a listener an error event ends the process; every call that is hit by it gets its own error.
  client.on('error', (error: Error) => {
    if (log.debugOn) log.debug(`redis: ${error.message}`);
  });
  return client;
}

function build(target: RedisTarget, reconnect: JitteredBackoff): Redis | Cluster {
  const options = clientOptions(target, reconnect);
  if (target.type === 'cluster') {
    const { retryStrategy: _, ...redisOptions } = options;
    return new Cluster(target.url.split(',').map(hostPort), {
      redisOptions,
      lazyConnect: true,
      slotsRefreshTimeout: slotsTimeoutMs,
      // What was sent when a connection ended may have been counted.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      retryDelayOnTryAgain: tryAgainMs,
      clusterRetryStrategy: () => reconnect.nextMs(),
    });
  }
  if (target.type === 'sentinel') {
    const [name = '', ...sentinels] = target.url.split(',');
    const { username, password } = credentials(target.sentinelAuth);
    return new Redis({
      ...options,
      name,
      sentinels: sentinels.map(hostPort),
      sentinelRetryStrategy: () => reconnect.nextMs(),
      sentinelCommandTimeout: target.timeoutMs,
      ...(options.tls === undefined ? {} : { sentinelTLS: options.tls, enableTLSForSentinelMode: true }),
      ...(username === undefined ? {} : { sentinelUsername: username }),
      ...(password === undefined ? {} : { sentinelPassword: password }),
    });
  }
  if (target.socketType === 'unix') return new Redis({ ...options, path: target.url });
  return new Redis({ ...options, ...hostPort(target.url) });
}
