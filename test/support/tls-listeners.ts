/** What a TLS listener of a test looks like. */
export interface TlsListenerOptions {
  /** common_tls_context, in flow style. */
  readonly common: string;
  /** Further fields of the DownstreamTlsContext, one a line. */
  readonly more?: string;
  /** Further fields of the filter chain. */
  readonly chain?: string;
}

const types = 'type.googleapis.com/envoy.extensions';

/** YAML of one listener, to be put under `listeners:`, that answers every request over TLS with 200 and `hello`. */
export function answeringChain(name: string, { common, more, chain }: TlsListenerOptions): string {
  return `
  - name: ${name}
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - ${chain ?? 'name: tls'}
      transport_socket:
        name: tls
        typed_config:
          "@type": ${types}.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context: ${common}
${(more ?? '')
  .split('\n')
  .map((line) => `          ${line}`)
  .join('\n')}
      filters:
      - name: http
        typed_config:
          "@type": ${types}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: tls
          http_filters:
          - { name: router, typed_config: { "@type": ${types}.filters.http.router.v3.Router } }
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: / }
                direct_response: { status: 200, body: { inline_string: hello } }`;
}
