import { type SupportArea, supportArea } from './support-area.ts';

const HEADER_RULES: readonly string[] = [
  'request_headers_to_add',
  'request_headers_to_remove',
  'response_headers_to_add',
  'response_headers_to_remove',
];

/** Routes: virtual hosts, matching, actions, rewrites, retries. */
export const route: SupportArea = supportArea({
  'envoy.config.route.v3.RouteConfiguration': {
    implemented: [
      'name',
      'virtual_hosts',
      ...HEADER_RULES,
      'most_specific_header_mutations_wins',
      'validate_clusters',
      'max_direct_response_body_size_bytes',
      'ignore_port_in_host_matching',
      'typed_per_filter_config',
      'metadata',
    ],
  },
  'envoy.config.route.v3.VirtualHost': {
    implemented: [
      'name',
      'domains',
      'routes',
      'require_tls',
      'rate_limits',
      ...HEADER_RULES,
      'typed_per_filter_config',
      'include_request_attempt_count',
      'include_attempt_count_in_response',
      'retry_policy',
      'metadata',
    ],
    rewritten: { cors: 'typed_per_filter_config["envoy.filters.http.cors"]' },
  },
  'envoy.config.route.v3.Route': {
    implemented: [
      'name',
      'match',
      'route',
      'redirect',
      'direct_response',
      ...HEADER_RULES,
      'typed_per_filter_config',
      'metadata',
    ],
    noEffect: {
      decorator: 'names the span of a trace, and there is no tracing',
      tracing: 'samples and tags traces, and there is no tracing',
    },
  },
  'envoy.config.route.v3.RouteMatch': {
    implemented: [
      'prefix',
      'path',
      'safe_regex',
      'path_separated_prefix',
      'case_sensitive',
      'runtime_fraction',
      'headers',
      'query_parameters',
      'grpc',
    ],
  },
  'envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions': { implemented: 'all' },
  'envoy.config.route.v3.HeaderMatcher': { implemented: 'all' },
  'envoy.config.route.v3.QueryParameterMatcher': { implemented: 'all' },
  'envoy.config.route.v3.RouteAction': {
    implemented: [
      'cluster',
      'cluster_header',
      'weighted_clusters',
      'cluster_not_found_response_code',
      'prefix_rewrite',
      'regex_rewrite',
      'host_rewrite_literal',
      'auto_host_rewrite',
      'host_rewrite_header',
      'host_rewrite_path_regex',
      'append_x_forwarded_host',
      'timeout',
      'idle_timeout',
      'retry_policy',
      'priority',
      'rate_limits',
      'include_vh_rate_limits',
      'upgrade_configs',
      'max_stream_duration',
    ],
    rewritten: {
      cors: 'typed_per_filter_config["envoy.filters.http.cors"] of the route',
      host_rewrite: 'host_rewrite_literal',
    },
  },
  'envoy.config.route.v3.RouteAction.UpgradeConfig': { implemented: ['upgrade_type', 'enabled'] },
  'envoy.config.route.v3.RouteAction.MaxStreamDuration': {
    implemented: ['max_stream_duration', 'grpc_timeout_header_max', 'grpc_timeout_header_offset'],
  },
  'envoy.config.route.v3.WeightedCluster': {
    implemented: ['clusters', 'total_weight'],
    noEffect: { runtime_key_prefix: 'the configured weights hold: no runtime layer overrides them' },
  },
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': {
    implemented: ['name', 'weight', ...HEADER_RULES, 'typed_per_filter_config', 'host_rewrite_literal'],
  },
  'envoy.config.route.v3.RedirectAction': {
    implemented: [
      'https_redirect',
      'scheme_redirect',
      'host_redirect',
      'port_redirect',
      'path_redirect',
      'prefix_rewrite',
      'regex_rewrite',
      'response_code',
      'strip_query',
    ],
  },
  'envoy.config.route.v3.DirectResponseAction': { implemented: ['status', 'body'] },
  'envoy.config.route.v3.RetryPolicy': {
    implemented: [
      'retry_on',
      'num_retries',
      'per_try_timeout',
      'per_try_idle_timeout',
      'retriable_status_codes',
      'retry_back_off',
      'retriable_headers',
      'retriable_request_headers',
    ],
  },
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': { implemented: 'all' },
  'envoy.config.route.v3.FilterConfig': { implemented: ['config', 'is_optional', 'disabled'] },
});
