import type { Server, Socket } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { LogRegistry } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { openFileLimit } from '#gateway/runtime/file-limit.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { createAdmin, createPlanningParts } from '../admin/create-admin.ts';
import type { LimitConfig } from '../config/build-config.ts';
import { listenFailure } from '../config/failure-text.ts';
import type { Settings } from '../config/settings.ts';
import { statsInForce } from '../config/stats-in-force.ts';
import { FailedCalls } from '../limiter/failed-calls.ts';
import { RateLimiter } from '../limiter/rate-limiter.ts';
import { StatsStore } from '../limiter/stats-store.ts';
import { createQuotaService } from '../quota/create-quota-service.ts';
import type { QuotaService } from '../quota/quota-service.ts';
import { createStatsSink } from '../stats/create-stats-sink.ts';
import { ProcessStats } from '../stats/process-stats.ts';
import { LocalCache } from '../store/local-cache.ts';
import { LocalEstimate } from '../store/local-estimate.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import type { TracedStore } from '../tracing/otel-tracing.ts';
import { openConfigSource, startConfigSource } from './config-sources.ts';
import { ConnectionLimit, connectionShares } from './connection-limit.ts';
import { createDebugApi } from './debug-api.ts';
import { HealthApi } from './grpc-health.ts';
import { GrpcMethods } from './grpc-method.ts';
import { reflectionMethods } from './grpc-reflection.ts';
import { GrpcServer } from './grpc-server.ts';
import type { GrpcServices } from './grpc-stream.ts';
import { GrpcTls, type GrpcTlsOptions } from './grpc-tls.ts';
import { Health } from './health.ts';
import { createJsonApi } from './json-api.ts';
import { LimitService } from './limit-service.ts';
import { openStore } from './open-store.ts';
import { StatsFlusher } from './stats-flusher.ts';
import { needsStore } from './store-need.ts';

/** What the service needs from the process it runs in. */
export interface RateLimitServiceOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
  /** Writes to standard error, for statistics without a sink; absent: they are not written. */
  readonly writeLine?: (line: string) => void;
  /** Which ports are opened: in another process's own (see `embedded/`), none or the debug port. All when absent. */
  readonly listeners?: 'all' | 'debug' | 'none';
}

/** A running rate-limit service. */
export interface RateLimitService {
  /** Ports that were bound; 0 for a gRPC unix socket, and for what is not listened on. */
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly debugPort: number;
  readonly limits: LimitService;
  readonly stats: StatsStore;
  readonly health: Health;
  /** The debug interface, whether it has a port or not. */
  readonly debug: Hono;
  /** What its gRPC streams share. */
  readonly grpc: GrpcServices;
  /** Takes no new calls, lets those under way finish and ends everything. */
  close(): Promise<void>;
}

/** Calls under way have this long to finish when the service stops, milliseconds. */
const stopGraceMs = 5000;

/** How often REDIS_HEALTH_CHECK_ACTIVE_CONNECTION looks, milliseconds. */
const storeWatchMs = 1000;

/**
 * Starts the service in the reference's order: configuration files, the store (waiting for Redis, unless every request has
 * an answer without it), listeners. Answers null when `stopped` became true while it waited. Throws when a port is taken or the directory cannot be read.
 */
export async function createRateLimitService(
  options: RateLimitServiceOptions,
  stopped: () => boolean = () => false,
): Promise<RateLimitService | null> {
  const { settings, timers, random, logs, clock } = options;
  const log = logs.get('ratelimit');
  for (const notice of settings.notices) log.warning(notice);
  const stats = new StatsStore(settings.STATS_MAX_NAMES);
  const planning = createPlanningParts(options, () => {
    limits.forgetPlans();
    quota.planAnew();
  });
  const health = new Health(settings.HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED);
  const source = await openConfigSource(options, stats);
  // Before everything that may have to be waited for: Prometheus can look meanwhile.
  const sink = createStatsSink(settings, stats, { clock, timers, log, writeLine: options.writeLine ?? null });
  const flusher = new StatsFlusher(sink, stats, settings.STATS_FLUSH_INTERVAL, timers);
  stats.sources.push(new ProcessStats(), source);
  const store = await openStore(options, stats.redis, needsStore(settings), stopped).catch(async (error: unknown) => {
    await flusher.close();
    throw error;
  });
  if (store === null) {
    await flusher.close();
    return null;
  }
  health.setStore(!settings.REDIS_HEALTH_CHECK_ACTIVE_CONNECTION || store.healthy);
  const cacheOctets = settings.LOCAL_CACHE_SIZE_IN_BYTES;
  const cache = cacheOctets > 0 ? new LocalCache(cacheOctets) : null;
  if (cache !== null) stats.sources.push(cache);
  const holdBack = settings.STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT;
  const allOrNothing = settings.ALL_OR_NOTHING;
  const estimate = new LocalEstimate(clock, settings.LOCAL_FALLBACK_REPLICAS, settings.LOCAL_FALLBACK_MAX_COUNTERS);
  const failures = new FailedCalls(stats.redis, estimate, ({ takes }) => allOrNothing || (holdBack && takes));
  const limits: LimitService = new LimitService(
    new RateLimiter(store, clock, stats, cache, holdBack, allOrNothing, failures),
    stats,
    {
      keyPrefix: settings.CACHE_KEY_PREFIX,
      nearLimitRatio: settings.NEAR_LIMIT_RATIO,
      quotaMode: settings.QUOTA_MODE,
      dynamicMetadata: settings.RESPONSE_DYNAMIC_METADATA,
      failureMode: settings.FAILURE_MODE,
      exemptions: planning.exemptions,
      tallies: planning.hotKeys,
      escapeKeys: settings.KEY_FORMAT === 'escaped',
      shadowMode: settings.SHADOW_MODE,
      headers: settings.LIMIT_RESPONSE_HEADERS_ENABLED
        ? {
            limit: settings.LIMIT_LIMIT_HEADER,
            remaining: settings.LIMIT_REMAINING_HEADER,
            reset: settings.LIMIT_RESET_HEADER,
          }
        : null,
    },
  );
  const quota: QuotaService = createQuotaService(options, store, stats, planning.exemptions);
  const admin = await createAdmin(options, planning, { limits, store, cache, estimate, quota });
  // What statistics there are follows the configuration in force, so that names that come and go stay bounded.
  const settle = (before: LimitConfig | null): void => stats.settle(statsInForce(limits.config), statsInForce(before));
  const apply = (config: LimitConfig): void => {
    const before = limits.config;
    limits.setConfig(config);
    settle(before);
    quota.setConfig(config);
    if (settings.KEY_FORMAT === 'reference') for (const warning of config.warnings) log.warning(warning);
    health.setDomains(config.domains.size);
  };
  if (!(await startConfigSource(source, options, apply, () => settle(null), stopped))) {
    source.close();
    admin.close();
    store.close();
    await flusher.close();
    return null;
  }
  const tracing = await openTracing(settings, tracedStore(settings), { timers, log });
  const listeners = options.listeners ?? 'all';
  const methods = new GrpcMethods([quota, ...(settings.GRPC_REFLECTION ? reflectionMethods() : [])]);
  const services: GrpcServices = { limits, health: new HealthApi(health), stats, clock, tracing, methods };
  const openTls = (onSecure: (socket: Socket) => void): GrpcTls => {
    const gate = new GrpcTls(tlsOptions(settings), clock, log, onSecure);
    stats.sources.push(gate);
    return gate;
  };
  const shares = connectionShares(openFileLimit());
  const connections = new ConnectionLimit(shares.http, timers, log);
  const grpc = new GrpcServer(
    services,
    { maxMs: settings.GRPC_MAX_CONNECTION_AGE, graceMs: settings.GRPC_MAX_CONNECTION_AGE_GRACE },
    timers,
    random,
    new ConnectionLimit(shares.grpc, timers, log),
    settings.GRPC_SERVER_USE_TLS ? openTls : null,
  );
  const debug = createDebugApi(limits, stats, admin);
  const servers: ServerType[] = [];
  const storeWatch = settings.REDIS_HEALTH_CHECK_ACTIVE_CONNECTION ? timers.create({ onTimer: watchStore }) : null;
  function watchStore(): void {
    health.setStore(store!.healthy);
    storeWatch?.enable(storeWatchMs);
  }
  storeWatch?.enable(storeWatchMs);
  const close = async (): Promise<void> => {
    health.setStopping();
    source.close();
    storeWatch?.disable();
    connections.close();
    for (const server of servers) server.close();
    await grpc.close(stopGraceMs);
    quota.close();
    admin.close();
    await flusher.close();
    await tracing?.close();
    store.close();
  };
  try {
    const all = listeners === 'all';
    const httpPort = all
      ? await listenHttp(createJsonApi(limits, health, tracing), settings, '', servers, connections)
      : 0;
    const debugPort = listeners === 'none' ? 0 : await listenHttp(debug, settings, 'DEBUG_', servers, connections);
    const grpcPort = all ? await listenGrpc(grpc, settings) : 0;
    flusher.start();
    return { grpcPort, httpPort, debugPort, limits, stats, health, debug, grpc: services, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function tracedStore(settings: Settings): TracedStore {
  if (settings.BACKEND_TYPE === 'memory') return 'memory';
  return settings.REDIS_PERSECOND ? 'redis and per-second redis' : 'redis';
}

function tlsOptions(settings: Settings): GrpcTlsOptions {
  return {
    certPath: settings.GRPC_SERVER_TLS_CERT,
    keyPath: settings.GRPC_SERVER_TLS_KEY,
    clientCaPath: settings.GRPC_CLIENT_TLS_CACERT,
    clientSan: settings.GRPC_CLIENT_TLS_SAN,
  };
}

async function listenGrpc(grpc: GrpcServer, settings: Settings): Promise<number> {
  const { GRPC_UDS: path, GRPC_HOST: host, GRPC_PORT: port } = settings;
  const named = path !== '' ? `GRPC_UDS=${path}` : `GRPC_HOST=${host}, GRPC_PORT=${port}`;
  return await grpc.listen(path !== '' ? { path } : { host, port }).catch((error: unknown) => {
    throw listenFailure(named, error);
  });
}

async function listenHttp(
  app: Hono,
  settings: Settings,
  prefix: '' | 'DEBUG_',
  servers: ServerType[],
  connections: ConnectionLimit,
): Promise<number> {
  const { [`${prefix}HOST` as const]: hostname, [`${prefix}PORT` as const]: port } = settings;
  return await new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname, port }, (bound) => {
      servers.push(server);
      connections.guard(server as Server, { host: hostname, port: bound.port });
      resolve(bound.port);
    });
    server.on('error', (error) => {
      reject(listenFailure(`${prefix}HOST=${hostname}, ${prefix}PORT=${port}`, error));
    });
  });
}
