import type { ServerState } from '#gateway/admin/admin-services.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { memoryUse } from '#gateway/runtime/process.ts';
import type { Counter, Gauge, Histogram, Scope } from '#gateway/stats/stats.ts';

/** Envoy's numbers of envoy.admin.v3.ServerInfo.State. */
const stateNumbers: { readonly [state in ServerState]: number } = {
  LIVE: 0,
  DRAINING: 1,
  PRE_INITIALIZING: 2,
  INITIALIZING: 3,
};

/** Statistics that Envoy has for threads and restarts; here they stay as they are. */
const constantGauges: readonly (readonly [name: string, value: number])[] = [
  ['server.concurrency', 1],
  ['server.hot_restart_epoch', 0],
  ['server.parent_connections', 0],
  ['server.compilation_settings.fips_mode', 0],
  ['server.seconds_until_first_ocsp_response_expiring', 0],
  ['server.stats_recent_lookups', 0],
  ['listener_manager.workers_pinned', 0],
];
const constantCounters: readonly string[] = [
  'server.debug_assertion_failures',
  'server.dropped_stat_flushes',
  'server.dynamic_unknown_fields',
  'server.static_unknown_fields',
  'server.envoy_bug_failures',
  'server.envoy_notifications',
  'server.wip_protos',
  'main_thread.watchdog_mega_miss',
  'main_thread.watchdog_miss',
  'server.main_thread.watchdog_mega_miss',
  'server.main_thread.watchdog_miss',
  'server.worker_0.watchdog_mega_miss',
  'server.worker_0.watchdog_miss',
  'workers.watchdog_mega_miss',
  'workers.watchdog_miss',
  'envoy.overload_actions.reset_high_memory_stream.count',
];

/** `server.*` and what goes with it. */
export class ServerStats {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #live: Gauge;
  readonly #state: Gauge;
  readonly #uptime: Gauge;
  readonly #allocated: Gauge;
  readonly #heapSize: Gauge;
  readonly #physical: Gauge;
  readonly #days: Gauge;
  readonly #inflated: readonly Gauge[];
  readonly totalConnections: Gauge;
  readonly initializationTimeMs: Histogram;
  /** Errors that nobody caught; the process goes on. sluice's own. */
  readonly uncaught: Counter;

  constructor(scope: Scope, clock: Clock, version: number) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#live = scope.gauge('server.live');
    this.#state = scope.gauge('server.state');
    this.#uptime = scope.gauge('server.uptime');
    this.#allocated = scope.gauge('server.memory_allocated');
    this.#heapSize = scope.gauge('server.memory_heap_size');
    this.#physical = scope.gauge('server.memory_physical_size');
    this.#days = scope.gauge('server.days_until_first_cert_expiring');
    this.#inflated = ['main_thread', 'worker_0'].map((name) =>
      scope.gauge(`thread_local_cluster_manager.${name}.clusters_inflated`),
    );
    scope.histogram('overload.refresh_interval_delay', 'milliseconds');
    this.totalConnections = scope.gauge('server.total_connections');
    this.initializationTimeMs = scope.histogram('server.initialization_time_ms', 'milliseconds');
    this.uncaught = scope.counter('server.uncaught_errors');
    scope.gauge('server.version').set(version);
    for (const [name, value] of constantGauges) scope.gauge(name).set(value);
    for (const name of constantCounters) scope.counter(name);
    this.#live.set(0);
  }

  /** Milliseconds since the server was made. */
  uptimeMs(): number {
    return this.#clock.nowMs() - this.#startMs;
  }

  /** Brings the gauges up to date. `daysUntilExpiry`: of the certificate that expires first; null when there is none. */
  refresh(state: ServerState, daysUntilExpiry: number | null, clusters: number): void {
    for (const gauge of this.#inflated) gauge.set(clusters);
    this.#live.set(state === 'LIVE' ? 1 : 0);
    this.#state.set(stateNumbers[state]);
    this.#uptime.set(Math.floor(this.uptimeMs() / 1000));
    const { heapUsed, heapTotal, resident } = memoryUse();
    this.#allocated.set(heapUsed);
    this.#heapSize.set(heapTotal);
    this.#physical.set(resident);
    this.#days.set(daysUntilExpiry ?? 4_294_967_295); // Envoy's "none"
  }
}
