import { type SupportArea, supportArea } from './support-area.ts';

/** Clusters, endpoints, circuit breakers and outlier detection. */
export const cluster: SupportArea = supportArea({
  'envoy.config.cluster.v3.Cluster': {
    implemented: [
      'name',
      'alt_stat_name',
      'type',
      'connect_timeout',
      'per_connection_buffer_limit_bytes',
      'lb_policy',
      'load_assignment',
      'circuit_breakers',
      'typed_extension_protocol_options',
      'dns_refresh_rate',
      'dns_failure_refresh_rate',
      'respect_dns_ttl',
      'dns_lookup_family',
      'outlier_detection',
      'least_request_lb_config',
      'round_robin_lb_config',
      'common_lb_config',
      'transport_socket',
      'metadata',
      'load_balancing_policy',
    ],
    values: {
      type: ['STATIC', 'STRICT_DNS', 'LOGICAL_DNS'],
      lb_policy: ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM', 'LOAD_BALANCING_POLICY_CONFIG'],
    },
    rewritten: {
      http_protocol_options: 'typed_extension_protocol_options',
      http2_protocol_options: 'typed_extension_protocol_options',
      common_http_protocol_options: 'typed_extension_protocol_options',
      upstream_http_protocol_options: 'typed_extension_protocol_options',
      protocol_selection: 'typed_extension_protocol_options',
      max_requests_per_connection: 'typed_extension_protocol_options',
    },
    noEffect: {
      dns_jitter: 'spreads look-ups in time; answers stay the same',
      ignore_health_on_host_removal: 'a host that discovery drops always leaves at once',
      track_cluster_stats: 'asks for additional statistics',
      track_timeout_budgets: 'asks for additional statistics',
    },
  },
  'envoy.config.cluster.v3.Cluster.RefreshRate': { implemented: 'all' },
  'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig': { implemented: ['choice_count', 'active_request_bias'] },
  'envoy.config.cluster.v3.Cluster.RoundRobinLbConfig': { implemented: [] },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig': {
    implemented: ['healthy_panic_threshold', 'locality_weighted_lb_config'],
    noEffect: { update_merge_window: 'updates are applied at once, which a merge window only delays' },
  },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig': { implemented: 'all' },
  'envoy.config.cluster.v3.LoadBalancingPolicy': { implemented: ['policies'] },
  'envoy.config.cluster.v3.LoadBalancingPolicy.Policy': { implemented: ['typed_extension_config'] },
  'envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin': { implemented: ['locality_lb_config'] },
  'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest': {
    implemented: ['choice_count', 'active_request_bias', 'locality_lb_config'],
  },
  'envoy.extensions.load_balancing_policies.random.v3.Random': { implemented: ['locality_lb_config'] },
  'envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig': {
    implemented: ['locality_weighted_lb_config'],
  },
  'envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.LocalityWeightedLbConfig': {
    implemented: 'all',
  },
  'envoy.config.cluster.v3.CircuitBreakers': { implemented: ['thresholds'] },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds': {
    implemented: [
      'priority',
      'max_connections',
      'max_pending_requests',
      'max_requests',
      'max_retries',
      'track_remaining',
    ],
  },
  'envoy.config.cluster.v3.OutlierDetection': {
    implemented: [
      'consecutive_5xx',
      'interval',
      'base_ejection_time',
      'max_ejection_percent',
      'enforcing_consecutive_5xx',
      'consecutive_gateway_failure',
      'enforcing_consecutive_gateway_failure',
      'max_ejection_time',
    ],
  },
  'envoy.config.endpoint.v3.ClusterLoadAssignment': { implemented: ['cluster_name', 'endpoints', 'policy'] },
  'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy': { implemented: ['overprovisioning_factor'] },
  'envoy.config.endpoint.v3.LocalityLbEndpoints': {
    implemented: ['locality', 'metadata', 'lb_endpoints', 'load_balancing_weight', 'priority'],
  },
  'envoy.config.endpoint.v3.LbEndpoint': {
    implemented: ['endpoint', 'health_status', 'metadata', 'load_balancing_weight'],
  },
  'envoy.config.endpoint.v3.Endpoint': { implemented: ['address', 'hostname'] },
});
