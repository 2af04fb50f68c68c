import { type SupportArea, supportArea } from './support-area.ts';

/** The HTTP side of a cluster: which protocol its connections speak. */
export const httpProtocolOptions: SupportArea = supportArea({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    implemented: [
      'common_http_protocol_options',
      'upstream_http_protocol_options',
      'explicit_http_config',
      'use_downstream_protocol_config',
      'auto_config',
      'request_mirror_policies',
      'hash_policy',
      'retry_policy',
    ],
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': {
    implemented: ['http_protocol_options', 'http2_protocol_options'],
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig': {
    implemented: ['http_protocol_options', 'http2_protocol_options'],
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig': {
    implemented: ['http_protocol_options', 'http2_protocol_options'],
  },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': {
    implemented: ['auto_sni', 'auto_san_validation', 'override_auto_sni_header'],
  },
});
