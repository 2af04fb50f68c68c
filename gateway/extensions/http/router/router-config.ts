import type { RuntimeFlags, ServerContext } from '#gateway/api/context.ts';
import type { ClusterManager } from '#gateway/api/upstream.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { localIpv4Address } from '#gateway/runtime/local-address.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Counter, Scope } from '#gateway/stats/stats.ts';
import type { Router } from '#proto-types/envoy/extensions/filters/http/router/v3/router_pb.ts';

/** The router's counters in its connection manager's scope, `http.<prefix>.*`. */
export interface RouterStats {
  readonly noRoute: Counter;
  readonly noCluster: Counter;
  readonly rqTotal: Counter;
  readonly rqRedirect: Counter;
  readonly rqDirectResponse: Counter;
  readonly rqResetAfterResponseStarted: Counter;
}

/** What all streams of one router filter share. */
export interface RouterConfig {
  readonly clusters: ClusterManager;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly runtime: RuntimeFlags;
  readonly stats: RouterStats;
  /** `upstream_rq_<code>` and its like are counted. `dynamic_stats`. */
  readonly dynamicStats: boolean;
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedTimeout: boolean;
  /** Headers that must be well formed, else 400. `strict_check_headers`, lower case. */
  readonly strictHeaders: readonly string[];
  /** `http.async-client.rq_total`: copies of requests count as the gateway's own. */
  readonly mirrored: Counter;
  /** This machine's address, which copies of requests carry in X-Forwarded-For. */
  readonly localAddress: string;
}

/** Resolves the Router message. */
export function createRouterConfig(
  message: Router,
  server: Pick<ServerContext, 'clusters' | 'clock' | 'timers' | 'random' | 'runtime' | 'stats'>,
  scope: Scope,
): RouterConfig {
  for (const name of [
    'rq_retry_skipped_request_not_complete',
    'passthrough_internal_redirect_bad_location',
    'passthrough_internal_redirect_unsafe_scheme',
    'passthrough_internal_redirect_too_many_redirects',
    'passthrough_internal_redirect_no_route',
    'passthrough_internal_redirect_predicate',
    'rq_overload_local_reply',
  ]) {
    scope.counter(name);
  }
  return {
    clusters: server.clusters,
    clock: server.clock,
    timers: server.timers,
    random: server.random,
    runtime: server.runtime,
    stats: {
      noRoute: scope.counter('no_route'),
      noCluster: scope.counter('no_cluster'),
      rqTotal: scope.counter('rq_total'),
      rqRedirect: scope.counter('rq_redirect'),
      rqDirectResponse: scope.counter('rq_direct_response'),
      rqResetAfterResponseStarted: scope.counter('rq_reset_after_downstream_response_started'),
    },
    dynamicStats: message.dynamicStats ?? true,
    suppressEnvoyHeaders: message.suppressEnvoyHeaders,
    respectExpectedTimeout: message.respectExpectedRqTimeout,
    strictHeaders: message.strictCheckHeaders.map((name) => name.toLowerCase()),
    mirrored: server.stats.scope('http.async-client').counter('rq_total'),
    localAddress: localIpv4Address(),
  };
}
