import { type SupportArea, supportArea } from './support-area.ts';

const FILTER = 'envoy.extensions.filters.http.ext_authz.v3';

/** The external authorization filter. */
export const extAuthz: SupportArea = supportArea({
  [`${FILTER}.ExtAuthz`]: {
    implemented: [
      'grpc_service',
      'http_service',
      'transport_api_version',
      'failure_mode_allow',
      'failure_mode_allow_header_add',
      'with_request_body',
      'clear_route_cache',
      'status_on_error',
      'metadata_context_namespaces',
      'route_metadata_context_namespaces',
      'filter_enabled',
      'filter_enabled_metadata',
      'deny_at_disable',
      'include_peer_certificate',
      'stat_prefix',
      'allowed_headers',
      'disallowed_headers',
      'include_tls_session',
      'charge_cluster_response_stats',
      'enable_dynamic_metadata_ingestion',
    ],
    noEffect: { emit_client_span: 'names a span of a trace, and there is no tracing' },
    values: { transport_api_version: ['V3', 'AUTO'] },
  },
  [`${FILTER}.BufferSettings`]: { implemented: 'all' },
  [`${FILTER}.HttpService`]: { implemented: 'all' },
  [`${FILTER}.AuthorizationRequest`]: { implemented: 'all' },
  [`${FILTER}.AuthorizationResponse`]: { implemented: 'all' },
  [`${FILTER}.ExtAuthzPerRoute`]: { implemented: 'all' },
  [`${FILTER}.CheckSettings`]: {
    implemented: ['context_extensions', 'disable_request_body_buffering', 'with_request_body'],
    noEffect: { emit_client_span: 'names a span of a trace, and there is no tracing' },
  },
});
