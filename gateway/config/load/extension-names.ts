/**
 * Message types of the extensions that configurations name most, by today's names and by those of the v2 days.
 * A typed_config says its type itself; this serves where there is none.
 */
const TYPES: Readonly<Record<string, string>> = {
  'envoy.filters.network.http_connection_manager':
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  'envoy.http_connection_manager': 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  'envoy.filters.network.tcp_proxy': 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  'envoy.tcp_proxy': 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  'envoy.filters.network.redis_proxy': 'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy',
  'envoy.redis_proxy': 'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy',
  'envoy.filters.network.ext_authz': 'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz',
  'envoy.ext_authz_network': 'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz',
  'envoy.filters.network.ratelimit': 'envoy.extensions.filters.network.ratelimit.v3.RateLimit',
  'envoy.ratelimit': 'envoy.extensions.filters.network.ratelimit.v3.RateLimit',
  'envoy.filters.network.mongo_proxy': 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy',
  'envoy.mongo_proxy': 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy',
  'envoy.filters.network.rbac': 'envoy.extensions.filters.network.rbac.v3.RBAC',
  'envoy.filters.network.echo': 'envoy.extensions.filters.network.echo.v3.Echo',
  'envoy.echo': 'envoy.extensions.filters.network.echo.v3.Echo',
  'envoy.filters.network.direct_response': 'envoy.extensions.filters.network.direct_response.v3.Config',
  'envoy.filters.http.router': 'envoy.extensions.filters.http.router.v3.Router',
  'envoy.router': 'envoy.extensions.filters.http.router.v3.Router',
  'envoy.filters.http.ratelimit': 'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
  'envoy.rate_limit': 'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
  'envoy.filters.http.local_ratelimit': 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
  'envoy.filters.http.health_check': 'envoy.extensions.filters.http.health_check.v3.HealthCheck',
  'envoy.health_check': 'envoy.extensions.filters.http.health_check.v3.HealthCheck',
  'envoy.filters.http.buffer': 'envoy.extensions.filters.http.buffer.v3.Buffer',
  'envoy.buffer': 'envoy.extensions.filters.http.buffer.v3.Buffer',
  'envoy.filters.http.cors': 'envoy.extensions.filters.http.cors.v3.Cors',
  'envoy.cors': 'envoy.extensions.filters.http.cors.v3.Cors',
  'envoy.filters.http.csrf': 'envoy.extensions.filters.http.csrf.v3.CsrfPolicy',
  'envoy.csrf': 'envoy.extensions.filters.http.csrf.v3.CsrfPolicy',
  'envoy.filters.http.fault': 'envoy.extensions.filters.http.fault.v3.HTTPFault',
  'envoy.fault': 'envoy.extensions.filters.http.fault.v3.HTTPFault',
  'envoy.filters.http.gzip': 'envoy.extensions.filters.http.compressor.v3.Compressor',
  'envoy.filters.http.compressor': 'envoy.extensions.filters.http.compressor.v3.Compressor',
  'envoy.filters.http.ext_authz': 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
  'envoy.ext_authz': 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
  'envoy.filters.http.jwt_authn': 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
  'envoy.filters.http.rbac': 'envoy.extensions.filters.http.rbac.v3.RBAC',
  'envoy.filters.http.lua': 'envoy.extensions.filters.http.lua.v3.Lua',
  'envoy.lua': 'envoy.extensions.filters.http.lua.v3.Lua',
  'envoy.filters.http.grpc_web': 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
  'envoy.grpc_web': 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
  'envoy.filters.http.grpc_http1_bridge': 'envoy.extensions.filters.http.grpc_http1_bridge.v3.Config',
  'envoy.grpc_http1_bridge': 'envoy.extensions.filters.http.grpc_http1_bridge.v3.Config',
  'envoy.filters.http.grpc_json_transcoder': 'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder',
  'envoy.grpc_json_transcoder': 'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder',
  'envoy.filters.http.header_mutation': 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
  'envoy.filters.http.header_to_metadata': 'envoy.extensions.filters.http.header_to_metadata.v3.Config',
  'envoy.filters.http.ip_tagging': 'envoy.extensions.filters.http.ip_tagging.v3.IPTagging',
  'envoy.ip_tagging': 'envoy.extensions.filters.http.ip_tagging.v3.IPTagging',
  'envoy.filters.http.oauth2': 'envoy.extensions.filters.http.oauth2.v3.OAuth2',
  'envoy.filters.listener.tls_inspector': 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  'envoy.listener.tls_inspector': 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  'envoy.filters.listener.http_inspector': 'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector',
  'envoy.listener.http_inspector': 'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector',
  'envoy.filters.listener.original_dst': 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
  'envoy.listener.original_dst': 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
  'envoy.filters.listener.original_src': 'envoy.extensions.filters.listener.original_src.v3.OriginalSrc',
  'envoy.listener.original_src': 'envoy.extensions.filters.listener.original_src.v3.OriginalSrc',
  'envoy.filters.listener.proxy_protocol': 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  'envoy.listener.proxy_protocol': 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  'envoy.access_loggers.file': 'envoy.extensions.access_loggers.file.v3.FileAccessLog',
  'envoy.file_access_log': 'envoy.extensions.access_loggers.file.v3.FileAccessLog',
  'envoy.access_loggers.stdout': 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
  'envoy.access_loggers.stderr': 'envoy.extensions.access_loggers.stream.v3.StderrAccessLog',
  'envoy.access_loggers.http_grpc': 'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
  'envoy.http_grpc_access_log': 'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
  'envoy.access_loggers.tcp_grpc': 'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig',
  'envoy.tcp_grpc_access_log': 'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig',
  'envoy.transport_sockets.raw_buffer': 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
  raw_buffer: 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
  'envoy.statsd': 'envoy.config.metrics.v3.StatsdSink',
  'envoy.stat_sinks.statsd': 'envoy.config.metrics.v3.StatsdSink',
  'envoy.dog_statsd': 'envoy.config.metrics.v3.DogStatsdSink',
  'envoy.stat_sinks.dog_statsd': 'envoy.config.metrics.v3.DogStatsdSink',
  'envoy.zipkin': 'envoy.config.trace.v3.ZipkinConfig',
  'envoy.tracers.zipkin': 'envoy.config.trace.v3.ZipkinConfig',
  'envoy.clusters.dynamic_forward_proxy': 'envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig',
  'envoy.clusters.aggregate': 'envoy.extensions.clusters.aggregate.v3.ClusterConfig',
  'envoy.clusters.redis': 'envoy.extensions.clusters.redis.v3.RedisClusterConfig',
  'envoy.retry_host_predicates.previous_hosts': 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
  'envoy.retry_priorities.previous_priorities':
    'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
};

const TLS_NAMES: ReadonlySet<string> = new Set(['envoy.transport_sockets.tls', 'tls']);

/** The message type that goes with an extension's name; null when the name says too little. */
export function extensionTypeOf(name: string): string | null {
  return Object.hasOwn(TYPES, name) ? TYPES[name]! : null;
}

/** Today's name of an extension that the v2 days called otherwise; null when the name is in use. */
export function todaysExtensionName(name: string): string | null {
  const type = extensionTypeOf(name);
  if (type === null || name.startsWith('envoy.filters.') || name.startsWith('envoy.access_loggers.')) return null;
  const today = Object.keys(TYPES).find((key) => TYPES[key] === type);
  return today === undefined || today === name ? null : today;
}

/** Whether a transport socket's name means TLS, whose type depends on the side. */
export function isTlsName(name: string): boolean {
  return TLS_NAMES.has(name);
}
