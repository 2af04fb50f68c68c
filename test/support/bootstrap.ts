/** Small builders of bootstrap YAML for tests. All of it is flow style, so that pieces can be put on one line. */

/** A listener on a free loopback port with one HTTP connection manager. */
export interface HttpListenerOptions {
  readonly name: string;
  readonly codecType?: 'AUTO' | 'HTTP1' | 'HTTP2';
  /** Virtual hosts as YAML flow text; a list. */
  readonly virtualHosts: string;
  /** Further fields of the connection manager, `name: value` in flow style. */
  readonly manager?: readonly string[];
  /** HTTP filters before the router, YAML flow text each. */
  readonly filters?: readonly string[];
  /** Serve TLS with `cert.pem` and `key.pem` of the configuration's folder. */
  readonly tls?: boolean;
}

const type = (name: string): string => `"@type": type.googleapis.com/${name}`;

/** The YAML of a listener. */
export function httpListener(options: HttpListenerOptions): string {
  const router = `{ name: envoy.filters.http.router, typed_config: { ${type('envoy.extensions.filters.http.router.v3.Router')} } }`;
  const manager = [
    type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    `stat_prefix: ${options.name}`,
    `codec_type: ${options.codecType ?? 'AUTO'}`,
    `route_config: { name: routes, virtual_hosts: [ ${options.virtualHosts} ] }`,
    `http_filters: [ ${[...(options.filters ?? []), router].join(', ')} ]`,
    ...(options.manager ?? []),
  ].join(', ');
  const chain = [
    `filters: [ { name: envoy.filters.network.http_connection_manager, typed_config: { ${manager} } } ]`,
    ...(options.tls === true ? [`transport_socket: ${downstreamTls}`] : []),
  ].join(', ');
  const address = 'socket_address: { address: 127.0.0.1, port_value: 0 }';
  return `{ name: ${options.name}, address: { ${address} }, filter_chains: [ { ${chain} } ] }`;
}

const downstreamTls = `{ name: envoy.transport_sockets.tls, typed_config: { ${type(
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
)}, common_tls_context: { alpn_protocols: [ h2, http/1.1 ], tls_certificates: [ { certificate_chain: { filename: "{dir}/cert.pem" }, private_key: { filename: "{dir}/key.pem" } } ] } } }`;

/** A virtual host `all` that sends everything to one cluster. */
export function allTo(cluster: string, routeFields = ''): string {
  const route = `cluster: ${cluster}${routeFields === '' ? '' : `, ${routeFields}`}`;
  return `{ name: all, domains: [ "*" ], routes: [ { match: { prefix: "/" }, route: { ${route} } } ] }`;
}

/** A static cluster with loopback endpoints. */
export function staticCluster(
  name: string,
  ports: readonly number[],
  options: { readonly http2?: boolean; readonly fields?: readonly string[] } = {},
): string {
  const endpoints = ports
    .map((port) => `{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }`)
    .join(', ');
  const protocol = `typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { ${type(
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
  )}, explicit_http_config: { http2_protocol_options: { allow_connect: true } } } }`;
  const fields = [
    `name: ${name}`,
    'type: STATIC',
    `load_assignment: { cluster_name: ${name}, endpoints: [ { lb_endpoints: [ ${endpoints} ] } ] }`,
    ...(options.http2 === true ? [protocol] : []),
    ...(options.fields ?? []),
  ];
  return `{ ${fields.join(', ')} }`;
}

/** A bootstrap's `static_resources`. */
export function staticResources(listeners: readonly string[], clusters: readonly string[]): string {
  return `static_resources:\n  listeners: [ ${listeners.join(',\n    ')} ]\n  clusters: [ ${clusters.join(',\n    ')} ]\n`;
}
