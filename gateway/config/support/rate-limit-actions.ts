import { type SupportArea, supportArea } from './support-area.ts';

/** The rate limit actions of routes and virtual hosts. */
export const rateLimitActions: SupportArea = supportArea({
  'envoy.config.route.v3.RateLimit': {
    implemented: [
      'stage',
      'disable_key',
      'actions',
      'limit',
      'hits_addend',
      'apply_on_stream_done',
      'x_ratelimit_option',
    ],
  },
  'envoy.config.route.v3.RateLimit.Action': {
    implemented: [
      'source_cluster',
      'destination_cluster',
      'request_headers',
      'query_parameters',
      'remote_address',
      'generic_key',
      'header_value_match',
      'dynamic_metadata',
      'metadata',
      'masked_remote_address',
      'remote_address_match',
      'query_parameter_value_match',
    ],
  },
  'envoy.config.route.v3.RateLimit.Action.SourceCluster': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.DestinationCluster': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.RequestHeaders': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.QueryParameters': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.RemoteAddress': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.RemoteAddressMatch': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.MaskedRemoteAddress': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.GenericKey': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.HeaderValueMatch': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.DynamicMetaData': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.MetaData': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Action.QueryParameterValueMatch': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.Override': { implemented: ['dynamic_metadata', 'rate_limit'] },
  'envoy.config.route.v3.RateLimit.Override.RateLimitOverride': { implemented: 'all' },
  'envoy.config.route.v3.RateLimit.HitsAddend': { implemented: ['number', 'format'] },
  'envoy.config.route.v3.RateLimit.Override.DynamicMetadata': { implemented: ['metadata_key'] },
});
