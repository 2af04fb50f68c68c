import type { Scope } from '#gateway/stats/stats.ts';

/** Counters of Envoy's clusters whose events cannot happen here (yet): dashboards find them, at zero. */
const counters: readonly string[] = [
  'assignment_stale',
  'assignment_timeout_received',
  'assignment_use_cached',
  'bind_errors',
  'http1.dropped_headers_with_underscores',
  'http1.metadata_not_supported_error',
  'http1.requests_rejected_with_underscores_in_headers',
  'http1.response_flood',
  'lb_local_cluster_not_ok',
  'lb_recalculate_zone_structures',
  'lb_subsets_created',
  'lb_subsets_fallback',
  'lb_subsets_fallback_panic',
  'lb_subsets_removed',
  'lb_subsets_selected',
  'lb_zone_cluster_too_small',
  'lb_zone_no_capacity_left',
  'lb_zone_routing_all_directly',
  'lb_zone_routing_cross_zone',
  'lb_zone_routing_sampled',
  'original_dst_host_invalid',
  'upstream_cx_connect_attempts_exceeded',
  'upstream_cx_connect_with_0_rtt',
  'upstream_cx_http3_total',
  'upstream_cx_pool_overflow',
  'upstream_cx_preconnect_skipped',
  'upstream_http3_broken',
  'upstream_queue_overloaded',
  'upstream_rq_0rtt',
  'upstream_rq_active_overflow',
  'upstream_rq_rx_reset_no_error',
];

const gauges: readonly string[] = [
  'lb_subsets_active',
  'max_host_weight',
  'upstream_cx_rx_bytes_buffered',
  'upstream_cx_tx_bytes_buffered',
];

/** Makes the statistics of a cluster that stay at zero. */
export function createInertStats(scope: Scope): void {
  for (const name of counters) scope.counter(name);
  for (const name of gauges) scope.gauge(name).value = 0;
}
