import { type SupportArea, supportArea } from './support-area.ts';

/** gRPC clients and sources of configuration: SDS and the like. */
export const grpcService: SupportArea = supportArea({
  'envoy.config.core.v3.GrpcService': {
    implemented: ['envoy_grpc', 'google_grpc', 'timeout', 'initial_metadata', 'retry_policy'],
  },
  'envoy.config.core.v3.GrpcService.EnvoyGrpc': { implemented: ['cluster_name', 'authority'] },
  'envoy.config.core.v3.GrpcService.GoogleGrpc': {
    implemented: ['target_uri', 'channel_credentials', 'call_credentials', 'stat_prefix', 'channel_args'],
    noEffect: { credentials_factory_name: 'only names the factory of credentials that are given elsewhere' },
  },
  'envoy.config.core.v3.GrpcService.GoogleGrpc.ChannelCredentials': {
    implemented: ['ssl_credentials', 'local_credentials'],
  },
  'envoy.config.core.v3.GrpcService.GoogleGrpc.CallCredentials': { implemented: ['access_token'] },
  'envoy.config.core.v3.GrpcService.GoogleGrpc.ChannelArgs': { implemented: 'all' },
  'envoy.config.core.v3.GrpcService.GoogleGrpc.ChannelArgs.Value': { implemented: 'all' },
  'envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials': {
    implemented: ['root_certs', 'private_key', 'cert_chain'],
  },
  'envoy.config.core.v3.GrpcService.GoogleGrpc.GoogleLocalCredentials': { implemented: 'all' },
  'envoy.config.core.v3.ConfigSource': {
    implemented: [
      'path',
      'path_config_source',
      'api_config_source',
      'ads',
      'initial_fetch_timeout',
      'resource_api_version',
    ],
    values: { resource_api_version: ['AUTO', 'V3'] },
  },
  'envoy.config.core.v3.PathConfigSource': { implemented: ['path', 'watched_directory'] },
  'envoy.config.core.v3.ApiConfigSource': {
    implemented: [
      'api_type',
      'transport_api_version',
      'grpc_services',
      'set_node_on_first_message_only',
      'rate_limit_settings',
    ],
    values: { api_type: ['GRPC', 'DELTA_GRPC'], transport_api_version: ['V3', 'AUTO'] },
    noEffect: {
      refresh_delay: 'how often services over REST are asked; streams are not',
      request_timeout: 'for services over REST',
    },
  },
  'envoy.config.core.v3.AggregatedConfigSource': { implemented: 'all' },
  'envoy.config.core.v3.RateLimitSettings': { implemented: 'all' },
  'envoy.service.discovery.v3.DiscoveryResponse': {
    implemented: ['resources'],
    noEffect: {
      version_info: 'only names the version in statistics and acknowledgements',
      type_url: 'each resource carries its own type',
      nonce: 'only pairs acknowledgements with responses',
      control_plane: 'only names the server',
    },
  },
});
