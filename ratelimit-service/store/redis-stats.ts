import type { RedisErrorKind } from './redis-error.ts';

/** Connections to one Redis, in the reference service's words. */
export class PoolStats {
  /** First part of the names: `redis_pool` or `redis_per_second_pool`. */
  readonly name: string;
  /** Connections open now. */
  cxActive = 0;
  cxTotal = 0;
  /** Connections that the service ended itself. */
  cxLocalClose = 0;

  constructor(name: string) {
    this.name = name;
  }
}

const kinds: readonly RedisErrorKind[] = [
  'timeout',
  'breaker_open',
  'overflow',
  'disconnected',
  'garbage',
  'readonly',
  'loading',
  'oom',
  'noauth',
  'misconf',
  'clusterdown',
  'masterdown',
  'noreplicas',
  'busy',
  'moved',
  'wrongtype',
  'other_error',
];

/** What happened between the service and its Redis since the process began. */
export class RedisStats {
  /** Counters that got no number, by reason. */
  readonly errors: Record<RedisErrorKind, number> = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<
    RedisErrorKind,
    number
  >;
  /** Counters whose number came after their deadline. */
  lateAnswers = 0;
  /** Times that a circuit opened. */
  breakerOpened = 0;
  /** Times that it closed again. */
  breakerClosed = 0;
  /** Connections made in the place of one that was lost. */
  reconnects = 0;
  /** Connections given up by the service because another server may be the right one. */
  renewed = 0;
  /** Requests that were let through without their counter. */
  failedOpen = 0;
  /** Requests that were rejected without their counter. */
  failedClosed = 0;
  /** Requests that were counted in this process. */
  localEstimate = 0;
  readonly pools: PoolStats[] = [];

  /** The statistics of one more Redis. */
  addPool(name: string): PoolStats {
    const pool = new PoolStats(name);
    this.pools.push(pool);
    return pool;
  }

  /** What only grows, with full names. */
  *counters(): Generator<readonly [name: string, value: number]> {
    for (const kind of kinds) yield [`ratelimit.redis.${kind}`, this.errors[kind]];
    yield ['ratelimit.redis.late_answers', this.lateAnswers];
    yield ['ratelimit.redis.breaker_opened', this.breakerOpened];
    yield ['ratelimit.redis.breaker_closed', this.breakerClosed];
    yield ['ratelimit.redis.reconnects', this.reconnects];
    yield ['ratelimit.redis.renewed', this.renewed];
    yield ['ratelimit.redis.failed_open', this.failedOpen];
    yield ['ratelimit.redis.failed_closed', this.failedClosed];
    yield ['ratelimit.redis.local_estimate', this.localEstimate];
    for (const pool of this.pools) {
      yield [`ratelimit.${pool.name}.cx_total`, pool.cxTotal];
      yield [`ratelimit.${pool.name}.cx_local_close`, pool.cxLocalClose];
    }
  }

  /** What goes up and down, with full names. */
  *gauges(): Generator<readonly [name: string, value: number]> {
    for (const pool of this.pools) yield [`ratelimit.${pool.name}.cx_active`, pool.cxActive];
  }
}
