import { staticResources } from './bootstrap.ts';

const type = (name: string): string => `"@type": type.googleapis.com/${name}`;
const tls = 'envoy.extensions.transport_sockets.tls.v3';

/** Where the gateway under rotation gets its secrets: a `sds_config` in flow style each. */
export interface RotationSecrets {
  readonly certificate: string;
  /** Absent: no client certificates. */
  readonly clientCa?: string;
}

/** `sds_config` of a file. */
export function fileSource(path: string): string {
  return `{ resource_api_version: V3, path_config_source: { path: "${path}" } }`;
}

/** `sds_config` of the cluster `sds`. */
export function grpcSource(apiType = 'GRPC'): string {
  const service = '[ { envoy_grpc: { cluster_name: sds } } ]';
  return `{ resource_api_version: V3, initial_fetch_timeout: 5s, api_config_source: { api_type: ${apiType}, transport_api_version: V3, grpc_services: ${service} } }`;
}

/** A bootstrap whose listener `main` answers every request itself, over TLS with the secrets `edge` and `clients`. `chainMatch` is in flow style. */
export function rotationBootstrap(secrets: RotationSecrets, clusters: readonly string[] = [], chainMatch = ''): string {
  const context = [
    'alpn_protocols: [ h2, http/1.1 ]',
    `tls_certificate_sds_secret_configs: [ { name: edge, sds_config: ${secrets.certificate} } ]`,
    ...(secrets.clientCa === undefined
      ? []
      : [`validation_context_sds_secret_config: { name: clients, sds_config: ${secrets.clientCa} }`]),
  ].join(', ');
  const socket = `{ name: tls, typed_config: { ${type(`${tls}.DownstreamTlsContext`)}, require_client_certificate: ${secrets.clientCa !== undefined}, common_tls_context: { ${context} } } }`;
  const routes =
    '[ { name: all, domains: [ "*" ], routes: [ { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: ok } } } ] } ]';
  const manager = [
    type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    'stat_prefix: main',
    `route_config: { virtual_hosts: ${routes} }`,
    `http_filters: [ { name: router, typed_config: { ${type('envoy.extensions.filters.http.router.v3.Router')} } } ]`,
  ].join(', ');
  const filters = `[ { name: hcm, typed_config: { ${manager} } } ]`;
  const address = 'address: { socket_address: { address: 127.0.0.1, port_value: 0 } }';
  const match = chainMatch === '' ? '' : `filter_chain_match: { ${chainMatch} }, `;
  const listener = `{ name: main, ${address}, filter_chains: [ { ${match}filters: ${filters}, transport_socket: ${socket} } ] }`;
  return `node: { id: rotation, cluster: rotation }\n${staticResources([listener], clusters)}`;
}

/** A file with one secret whose parts are files. */
export function secretYaml(name: string, fields: string): string {
  return `resources:\n- { ${type(`${tls}.Secret`)}, name: ${name}, ${fields} }\n`;
}
