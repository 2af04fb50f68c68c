import { type SupportArea, supportArea } from './support-area.ts';

/** The global rate limit filter. */
export const rateLimitFilter: SupportArea = supportArea({
  'envoy.extensions.filters.http.ratelimit.v3.RateLimit': {
    implemented: [
      'domain',
      'stage',
      'request_type',
      'timeout',
      'failure_mode_deny',
      'rate_limited_as_resource_exhausted',
      'rate_limit_service',
      'enable_x_ratelimit_headers',
      'disable_x_envoy_ratelimited_header',
      'rate_limited_status',
      'response_headers_to_add',
      'status_on_error',
      'stat_prefix',
      'filter_enabled',
      'filter_enforced',
      'failure_mode_deny_percent',
      'rate_limits',
      'metadata_namespace',
      'enable_retry_after_header',
    ],
  },
  'envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute': {
    implemented: ['vh_rate_limits', 'rate_limits', 'domain'],
    noEffect: { override_option: 'Envoy does not act on it either' },
  },
  'envoy.config.ratelimit.v3.RateLimitServiceConfig': {
    implemented: ['grpc_service', 'transport_api_version'],
    values: { transport_api_version: ['V3', 'AUTO'] },
  },
});
