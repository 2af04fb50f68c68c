import { z } from 'zod';
import { hostPort, shownUrl } from '../store/redis-target.ts';
import { decimal, duration, type EnvironmentShape, integer } from './environment-values.ts';
import { type FailureMode, failureModes } from './failure-mode.ts';

/** How the service lives with a Redis that is slow, away or wrong. */
export const redisShape: EnvironmentShape<RedisTroubleSettings> = {
  FAILURE_MODE: z.enum(failureModes, `is none of ${failureModes.join(', ')}`).default('error'),
  LOCAL_FALLBACK_REPLICAS: integer(1, 1_000_000).refine((value) => value >= 1, 'is not a number from 1 to 1000000'),
  LOCAL_FALLBACK_MAX_COUNTERS: integer(100_000, 0x7fff_ffff),
  REDIS_CALL_TIMEOUT: duration('50ms').refine((value) => value > 0, 'must be more than 0'),
  REDIS_MAX_IN_FLIGHT: integer(10_000, 0x7fff_ffff).refine((value) => value >= 1, 'must be at least 1'),
  REDIS_BREAKER_CONSECUTIVE_FAILURES: integer(5, 1_000_000),
  REDIS_BREAKER_FAILURE_SHARE: decimal(0.5, 0).refine((value) => value <= 1, 'is not a number from 0 to 1'),
  REDIS_BREAKER_MIN_BATCHES: integer(20, 1_000_000),
  REDIS_BREAKER_WINDOW: duration('1s'),
  REDIS_BREAKER_BACKOFF: duration('100ms'),
  REDIS_BREAKER_MAX_BACKOFF: duration('5s'),
};

/** The values of {@link redisShape}. Durations are milliseconds. */
export interface RedisTroubleSettings {
  /** For domains that do not say it themselves. */
  readonly FAILURE_MODE: FailureMode;
  /** How many instances share a limit while each counts for itself. */
  readonly LOCAL_FALLBACK_REPLICAS: number;
  readonly LOCAL_FALLBACK_MAX_COUNTERS: number;
  readonly REDIS_CALL_TIMEOUT: number;
  readonly REDIS_MAX_IN_FLIGHT: number;
  /** 0: never opens because of it. */
  readonly REDIS_BREAKER_CONSECUTIVE_FAILURES: number;
  /** 0: never opens because of it. */
  readonly REDIS_BREAKER_FAILURE_SHARE: number;
  readonly REDIS_BREAKER_MIN_BATCHES: number;
  readonly REDIS_BREAKER_WINDOW: number;
  readonly REDIS_BREAKER_BACKOFF: number;
  readonly REDIS_BREAKER_MAX_BACKOFF: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const onePipeline = 'all calls of one turn of the event loop go in one pipeline on one connection';

/** What the reference service knows, by the end of its name, and why it changes nothing here. */
const withoutEffect: Readonly<Record<string, string>> = {
  POOL_SIZE: onePipeline,
  PIPELINE_WINDOW: onePipeline,
  PIPELINE_LIMIT: onePipeline,
  CLUSTER_PIPELINE_PARALLELISM: 'the nodes of a cluster are always asked at the same time',
};

const prefixes = ['REDIS_', 'REDIS_PERSECOND_'] as const;

/** Whether the servers of `REDIS_...` or `REDIS_PERSECOND_...` are used at all. */
function isUsed(prefix: string, env: Environment): boolean {
  return (
    !/^memory$/i.test(env['BACKEND_TYPE'] ?? '') &&
    (prefix === 'REDIS_' || /^(1|t)/i.test(env['REDIS_PERSECOND'] ?? ''))
  );
}

/** An address where the path of a socket is expected, which is what the default says. */
function isAddressAsPath(prefix: string, env: Environment): boolean {
  const type = (env[`${prefix}TYPE`] ?? 'single').toLowerCase();
  const socket = env[`${prefix}SOCKET_TYPE`] ?? 'unix';
  return type === 'single' && socket === 'unix' && /^[^/]+:[0-9]+$/.test(env[`${prefix}URL`] ?? '');
}

/** The first address of a server whose port is none; null when all are well. */
function badPort(prefix: string, env: Environment): string | null {
  const type = (env[`${prefix}TYPE`] ?? 'single').toLowerCase();
  const url = env[`${prefix}URL`];
  if (url === undefined || (type === 'single' && env[`${prefix}SOCKET_TYPE`] !== 'tcp')) return null;
  const addresses = type === 'single' ? [url] : url.split(',').slice(type === 'sentinel' ? 1 : 0);
  const bad = addresses.find((address) => {
    const { port } = hostPort(address);
    return !Number.isInteger(port) || port < 1 || port > 65_535;
  });
  return bad ?? null;
}

/** What is set and changes nothing, each as a sentence. */
export function redisNotices(env: Environment): string[] {
  const notices: string[] = [];
  for (const prefix of prefixes) {
    for (const [name, reason] of Object.entries(withoutEffect)) {
      const value = env[prefix + name];
      if (value !== undefined && value !== '') notices.push(`${prefix}${name}=${value} has no effect here: ${reason}`);
    }
  }
  for (const prefix of prefixes.filter((each) => isUsed(each, env) && isAddressAsPath(each, env))) {
    const url = shownUrl(env[`${prefix}URL`]!);
    notices.push(`${prefix}URL=${url} is taken for the path of a socket; for an address set ${prefix}SOCKET_TYPE=tcp`);
  }
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('MEMCACHE_') || value === undefined || value === '') continue;
    notices.push(`${name} has no effect here: there is no memcached backend`);
  }
  return notices;
}

/** What is refused by name. */
export function redisProblems(env: Environment): string[] {
  const problems: string[] = [];
  if (env['BACKEND_TYPE']?.toLowerCase() === 'memcache') {
    problems.push(
      'BACKEND_TYPE=memcache is not supported: it counts in the background and lets everything through when memcached is away; use redis, or memory for a single instance',
    );
  }
  for (const prefix of prefixes) {
    const used = isUsed(prefix, env);
    const sentinel = env[`${prefix}TYPE`]?.toLowerCase() === 'sentinel';
    if (used && sentinel && (env[`${prefix}URL`] ?? '').split(',').length < 2) {
      problems.push(
        'Expected master name and a list of urls for the sentinels, in the format: <redis master name>,<sentinel1>,...,<sentineln>',
      );
    }
    const wrong = used ? badPort(prefix, env) : null;
    if (wrong !== null) problems.push(`${prefix}URL: ${shownUrl(wrong)} has no port from 1 to 65535`);
    const behaviour = env[`${prefix}POOL_ON_EMPTY_BEHAVIOR`] ?? '';
    if (!['', 'WAIT'].includes(behaviour.toUpperCase())) {
      problems.push(
        `${prefix}POOL_ON_EMPTY_BEHAVIOR=${behaviour} is not supported: there is one connection, and REDIS_MAX_IN_FLIGHT bounds what waits for it. Remove this setting or set it to WAIT`,
      );
    }
    for (const name of ['POOL_SIZE', 'PIPELINE_LIMIT', 'CLUSTER_PIPELINE_PARALLELISM']) {
      const value = env[prefix + name];
      if (value !== undefined && !/^[0-9]+$/.test(value)) problems.push(`${prefix}${name}=${value} is not a number`);
    }
  }
  return problems;
}
