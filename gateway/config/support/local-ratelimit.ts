import { type SupportArea, supportArea } from './support-area.ts';

/** The local rate limit filter. */
export const localRateLimit: SupportArea = supportArea({
  'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit': {
    implemented: [
      'stat_prefix',
      'status',
      'token_bucket',
      'filter_enabled',
      'filter_enforced',
      'request_headers_to_add_when_not_enforced',
      'response_headers_to_add',
      'descriptors',
      'stage',
      'local_rate_limit_per_downstream_connection',
      'enable_x_ratelimit_headers',
      'vh_rate_limits',
      'always_consume_default_token_bucket',
      'rate_limited_as_resource_exhausted',
      'rate_limits',
      'max_dynamic_descriptors',
      'enable_retry_after_header',
      'local_cluster_rate_limit',
    ],
  },
  'envoy.extensions.common.ratelimit.v3.LocalClusterRateLimit': { implemented: 'all' },
  'envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor': { implemented: 'all' },
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry': { implemented: 'all' },
  'envoy.type.v3.TokenBucket': { implemented: 'all' },
});
