import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayCommand, hasRuntime } from '../support/gateway-command.ts';
import { findPeer } from '../support/peers.ts';

/** Ports of one proxy under test. */
export interface ProxyPorts {
  readonly plain: number;
  readonly tls: number;
}

/** A proxy that can be measured. */
export interface BenchProxy {
  readonly name: string;
  readonly command: readonly string[];
  readonly ports: ProxyPorts;
  readonly http2Upstream: boolean;
}

/** The upstream's ports: HTTP/1.1 and HTTP/2 with prior knowledge. */
export interface UpstreamPorts {
  readonly http1: number;
  readonly http2: number;
}

/** Where gateways ask about limits: a service, or one in the gateway's own process that reads a directory. */
export type LimiterCluster = { readonly port: number } | { readonly directory: string };

/**
 * Writes every proxy's configuration into `dir` (where `cert.pem`, `key.pem` and `both.pem` are) and tells how to start
 * those that are installed. Envoy and sluice get the very same file. With `limiter` they ask that cluster about each request,
 * with two descriptors in the domain `edge`; nginx and haproxy have nothing like it.
 */
export function benchProxies(
  dir: string,
  upstream: UpstreamPorts,
  basePort: number,
  limiter: LimiterCluster | null = null,
): BenchProxy[] {
  const proxies: BenchProxy[] = [];
  const shared: ProxyPorts = { plain: basePort, tls: basePort + 1 };
  const file = join(dir, 'gateway.yaml');
  writeFileSync(file, gatewayYaml(dir, shared, basePort + 2, upstream, limiter));
  for (const runtime of ['bun', 'deno', 'node']) {
    if (!hasRuntime(runtime)) continue;
    const command = [...gatewayCommand(runtime), 'run', '-c', file, '--concurrency', '1', '-l', 'error'];
    proxies.push({ name: `sluice-${runtime}`, command, ports: shared, http2Upstream: true });
  }
  const envoy = findPeer('envoy');
  if (envoy !== null) {
    const command = [envoy, '-c', file, '--concurrency', '1', '-l', 'error', '--disable-hot-restart'];
    proxies.push({ name: 'envoy', command, ports: shared, http2Upstream: true });
  }
  const nginx = findPeer('nginx');
  if (nginx !== null) {
    const ports = { plain: basePort + 10, tls: basePort + 11 };
    const config = join(dir, 'nginx-proxy.conf');
    writeFileSync(config, nginxConf(dir, ports, upstream));
    proxies.push({ name: 'nginx', command: [nginx, '-p', dir, '-c', config], ports, http2Upstream: false });
  }
  const haproxy = findPeer('haproxy');
  if (haproxy !== null) {
    const ports = { plain: basePort + 20, tls: basePort + 21 };
    const config = join(dir, 'haproxy.cfg');
    writeFileSync(config, haproxyConf(dir, ports, upstream));
    proxies.push({ name: 'haproxy', command: [haproxy, '-f', config], ports, http2Upstream: false });
  }
  return proxies;
}

const rateLimits =
  '[ { actions: [ { remote_address: {} } ] }, { actions: [ { request_headers: { header_name: ":path", descriptor_key: path } } ] } ]';

const rateLimitFilter = `
          - name: envoy.filters.http.ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
              domain: edge
              rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: rls } } }`;

function gatewayYaml(
  dir: string,
  ports: ProxyPorts,
  admin: number,
  upstream: UpstreamPorts,
  limiter: LimiterCluster | null,
): string {
  const http2 = `    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
`;
  const limits = limiter === null ? '' : `, rate_limits: ${rateLimits}`;
  const endpoint = (cluster: string, port: number): string =>
    `{ cluster_name: ${cluster}, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } } ] } ] }`;
  const breakers = '{ thresholds: [ { max_connections: 10000, max_requests: 100000, max_pending_requests: 100000 } ] }';
  return `admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${admin} } } }
static_resources:
  listeners:
  - name: plain
    address: { socket_address: { address: 127.0.0.1, port_value: ${ports.plain} } }
    filter_chains:
    - filters: &filters
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          codec_type: AUTO
          route_config:
            name: routes
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - { match: { prefix: "/h2/" }, route: { cluster: http2, prefix_rewrite: "/"${limits} } }
              - { match: { prefix: "/" }, route: { cluster: http1${limits} } }
          http_filters:${limiter === null ? '' : rateLimitFilter}
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  - name: tls
    address: { socket_address: { address: 127.0.0.1, port_value: ${ports.tls} } }
    filter_chains:
    - filters: *filters
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates: [ { certificate_chain: { filename: ${join(dir, 'cert.pem')} }, private_key: { filename: ${join(dir, 'key.pem')} } } ]
  clusters:
  - name: http1
    type: STATIC
    circuit_breakers: ${breakers}
    load_assignment: ${endpoint('http1', upstream.http1)}
  - name: http2
    type: STATIC
    circuit_breakers: ${breakers}
${http2}    load_assignment: ${endpoint('http2', upstream.http2)}
${limiter === null ? '' : limiterYaml(limiter, breakers, http2, endpoint)}`;
}

function limiterYaml(
  limiter: LimiterCluster,
  breakers: string,
  http2: string,
  endpoint: (cluster: string, port: number) => string,
): string {
  if ('port' in limiter) {
    return `  - name: rls
    type: STATIC
    circuit_breakers: ${breakers}
${http2}    load_assignment: ${endpoint('rls', limiter.port)}
`;
  }
  return `  - name: rls
    cluster_type:
      name: sluice.in_process
      typed_config:
        "@type": type.googleapis.com/sluice.clusters.in_process.v1.InProcess
        service: ratelimit
        settings: { RUNTIME_ROOT: ${limiter.directory}, RUNTIME_SUBDIRECTORY: edge, RUNTIME_WATCH_ROOT: "false" }
`;
}

function nginxConf(dir: string, ports: ProxyPorts, upstream: UpstreamPorts): string {
  return `worker_processes 1;
daemon off;
pid ${join(dir, 'nginx-proxy.pid')};
error_log ${join(dir, 'nginx-proxy.log')} error;
events { worker_connections 20000; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path ${join(dir, 'proxy-body')};
  proxy_temp_path ${join(dir, 'proxy-temp')};
  fastcgi_temp_path ${join(dir, 'proxy-fastcgi')};
  uwsgi_temp_path ${join(dir, 'proxy-uwsgi')};
  scgi_temp_path ${join(dir, 'proxy-scgi')};
  upstream up { server 127.0.0.1:${upstream.http1}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${ports.plain};
    listen 127.0.0.1:${ports.tls} ssl http2;
    ssl_certificate ${join(dir, 'cert.pem')};
    ssl_certificate_key ${join(dir, 'key.pem')};
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;
}

function haproxyConf(dir: string, ports: ProxyPorts, upstream: UpstreamPorts): string {
  return `global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${ports.plain}
  bind 127.0.0.1:${ports.tls} ssl crt ${join(dir, 'both.pem')} alpn h2,http/1.1
  default_backend up
backend up
  http-reuse always
  server s1 127.0.0.1:${upstream.http1}
`;
}
