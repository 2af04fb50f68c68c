import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayCommand, hasRuntime } from '../../support/gateway-command.ts';
import { findPeer } from '../../support/peers.ts';

/** A proxy of the TLS suite; all of them run at the same time, each on a port of its own. */
export interface TlsProxy {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
}

/**
 * Writes the configurations into `dir`, where `ecdsa.pem`, `ecdsa.key`, `rsa.pem` and `rsa.key` are, and tells how to start
 * the proxies that are installed. Envoy and sluice get the same file but for the ports: certificates by SDS, two of
 * them to choose from, tls_inspector, and two filter chains chosen by server name.
 */
export function tlsProxies(dir: string, upstreamPort: number, basePort: number): TlsProxy[] {
  for (const key of ['ecdsa', 'rsa']) writeFileSync(join(dir, `sds-${key}.yaml`), secretYaml(dir, key));
  const proxies: TlsProxy[] = [];
  let port = basePort;
  const add = (name: string, file: string, text: string, command: (path: string) => readonly string[]): void => {
    const path = join(dir, file);
    writeFileSync(path, text);
    proxies.push({ name, port, command: command(path) });
    port += 2;
  };
  for (const runtime of ['bun', 'deno', 'node']) {
    if (!hasRuntime(runtime)) continue;
    const arguments_ = ['--concurrency', '1', '-l', 'error'];
    add(`sluice-${runtime}`, `sluice-${runtime}.yaml`, gatewayYaml(dir, port, upstreamPort), (path) => [
      ...gatewayCommand(runtime),
      'run',
      '-c',
      path,
      ...arguments_,
    ]);
  }
  const envoy = findPeer('envoy');
  if (envoy !== null) {
    const flags = ['--concurrency', '1', '-l', 'error', '--disable-hot-restart'];
    add('envoy', 'envoy.yaml', gatewayYaml(dir, port, upstreamPort), (path) => [envoy, '-c', path, ...flags]);
  }
  const nginx = findPeer('nginx');
  if (nginx !== null) {
    add('nginx', 'nginx.conf', nginxConf(dir, port, upstreamPort), (path) => [nginx, '-p', dir, '-c', path]);
  }
  const haproxy = findPeer('haproxy');
  if (haproxy !== null) {
    add('haproxy', 'haproxy.cfg', haproxyConf(dir, port, upstreamPort), (path) => [haproxy, '-f', path]);
  }
  return proxies;
}

function secretYaml(dir: string, key: string): string {
  return `resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: ${key}
  tls_certificate:
    certificate_chain: { filename: ${join(dir, `${key}.pem`)} }
    private_key: { filename: ${join(dir, `${key}.key`)} }
`;
}

function gatewayYaml(dir: string, port: number, upstreamPort: number): string {
  const secret = (key: string): string =>
    `{ name: ${key}, sds_config: { resource_api_version: V3, path_config_source: { path: ${join(dir, `sds-${key}.yaml`)} } } }`;
  return `node: { id: bench, cluster: bench }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${port + 1} } } }
static_resources:
  listeners:
  - name: tls
    address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    listener_filters:
    - name: envoy.filters.listener.tls_inspector
      typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
    filter_chains:
    - filter_chain_match: { server_names: [localhost] }
      filters: &filters
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          codec_type: AUTO
          route_config:
            name: routes
            virtual_hosts: [ { name: all, domains: ["*"], routes: [ { match: { prefix: "/" }, route: { cluster: upstream } } ] } ]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
      transport_socket: &tls
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificate_sds_secret_configs: [ ${secret('ecdsa')}, ${secret('rsa')} ]
    - filter_chain_match: { server_names: [other.test] }
      filters: *filters
      transport_socket: *tls
    # Load generators that send no server name.
    - filter_chain_match: {}
      name: without_name
      filters: *filters
      transport_socket: *tls
  clusters:
  - name: upstream
    type: STATIC
    circuit_breakers: { thresholds: [ { max_connections: 10000, max_requests: 100000, max_pending_requests: 100000 } ] }
    load_assignment: { cluster_name: upstream, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${upstreamPort} } } } } ] } ] }
`;
}

function nginxConf(dir: string, port: number, upstreamPort: number): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(dir, `proxy-${kind}`)};`)
    .join('\n');
  return `worker_processes 1;
daemon off;
pid ${join(dir, 'nginx-proxy.pid')};
error_log ${join(dir, 'nginx-proxy.log')} error;
events { worker_connections 20000; }
http {
  access_log off;
  keepalive_requests 100000000;
${temp}
  upstream up { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate ${join(dir, 'ecdsa.pem')};
    ssl_certificate_key ${join(dir, 'ecdsa.key')};
    ssl_certificate ${join(dir, 'rsa.pem')};
    ssl_certificate_key ${join(dir, 'rsa.key')};
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;
}

function haproxyConf(dir: string, port: number, upstreamPort: number): string {
  return `global
  nbthread 1
  maxconn 9000
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port} ssl crt ${join(dir, 'both.pem')} alpn h2,http/1.1
  default_backend up
backend up
  http-reuse always
  server s1 127.0.0.1:${upstreamPort}
`;
}
