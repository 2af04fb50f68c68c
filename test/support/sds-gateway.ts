import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { gatewayCommand } from './gateway-command.ts';
import { ownRuntime } from './gateway-process.ts';
import { freePorts, type RunningProgram, startProgram } from './running-program.ts';

/** How a gateway under test is told to fetch its secrets. */
export interface SdsSource {
  /** `ads`: over the aggregated stream; else a stream of the secret's own. */
  readonly aggregated: boolean;
  readonly delta: boolean;
  /** A GrpcService in YAML flow style; by default the cluster `sds`. */
  readonly service?: string;
  /** Further fields of the ApiConfigSource, YAML flow style. */
  readonly apiFields?: string;
  /** Of the config source; seconds. */
  readonly fetchTimeout?: number;
  /** Another cluster, `up`, whose client certificate is the secret of this name. */
  readonly upstreamSecret?: string;
}

/** A gateway whose TLS listener has its certificate from a control plane. */
export interface SdsGateway {
  readonly program: RunningProgram;
  readonly port: number;
  /** Status and text of an admin page. */
  admin(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Value of a statistic, or 0. */
  stat(name: string): Promise<number>;
  /** Common name of the certificate that the listener shows; '' when there is no handshake. */
  served(): Promise<string>;
  /** Waits until the listener shows the certificate of this name. */
  untilServed(name: string): Promise<void>;
  stop(): Promise<void>;
}

const tlsContext = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
const upstreamTlsContext = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const manager = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const protocolOptions = 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** The bootstrap: secret `edge` on one listener, cluster `sds` at `sdsPort`. Envoy reads it too. */
export function sdsBootstrap(source: SdsSource, sdsPort: number, port: number, adminPort: number): string {
  const service = source.service ?? '{ envoy_grpc: { cluster_name: sds } }';
  const more = source.apiFields === undefined ? '' : `, ${source.apiFields}`;
  const type = source.delta ? 'DELTA_GRPC' : 'GRPC';
  const api = `{ api_type: ${type}, transport_api_version: V3, grpc_services: [ ${service} ]${more} }`;
  const config = source.aggregated ? 'ads: {}' : `api_config_source: ${api}`;
  const timeout = `initial_fetch_timeout: ${source.fetchTimeout ?? 60}s`;
  const secretOf = (name: string): string =>
    `common_tls_context: { tls_certificate_sds_secret_configs: [ { name: ${name}, sds_config: { resource_api_version: V3, ${timeout}, ${config} } } ] }`;
  const upstream =
    source.upstreamSecret === undefined
      ? ''
      : `
  - name: up
    type: STATIC
    load_assignment: { cluster_name: up, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9 } } } } ] } ] }
    transport_socket: { name: envoy.transport_sockets.tls, typed_config: { "@type": ${upstreamTlsContext}, ${secretOf(source.upstreamSecret)} } }`;
  return `
node: { id: gateway, cluster: test }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${adminPort} } } }
${source.aggregated ? `dynamic_resources: { ads_config: ${api} }` : ''}
static_resources:
  listeners:
  - name: tls
    address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": ${manager}
          stat_prefix: in
          route_config: { virtual_hosts: [ { name: all, domains: [ "*" ], routes: [ { match: { prefix: "/" }, direct_response: { status: 200 } } ] } ] }
          http_filters: [ { name: envoy.filters.http.router, typed_config: { "@type": ${router} } } ]
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": ${tlsContext}
          ${secretOf('edge')}
  clusters:${upstream}
  - name: sds
    type: STATIC
    typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { "@type": ${protocolOptions}, explicit_http_config: { http2_protocol_options: {} } } }
    load_assignment: { cluster_name: sds, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${sdsPort} } } } } ] } ] }
`;
}

/** Starts a gateway on the runtime of the test; resolves when its admin interface answers, ready or not. */
export async function startSdsGateway(source: SdsSource, sdsPort: number): Promise<SdsGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-sds-gateway-'));
  const [port = 0] = await freePorts(1);
  const config = join(dir, 'bootstrap.yaml');
  const addressFile = join(dir, 'admin-address');
  writeFileSync(config, sdsBootstrap(source, sdsPort, port, 0));
  const flags = ['-c', config, '-l', 'info', '--admin-address-path', addressFile];
  const program = startProgram([...gatewayCommand(ownRuntime), 'run', ...flags]);
  let adminPort = 0;
  const admin = async (path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  await program.until(() => {
    try {
      adminPort = Number(/:(\d+)\s*$/.exec(readFileSync(addressFile, 'utf8'))?.[1] ?? 0);
    } catch {
      return false; // not written yet
    }
    return adminPort > 0;
  });
  const served = (): Promise<string> => servedName(port);
  return {
    program,
    port,
    admin,
    async stat(name): Promise<number> {
      const { text } = await admin(`/stats?filter=${encodeURIComponent(`^${name}$`)}`);
      return Number(/: (-?\d+)/.exec(text)?.[1] ?? 0);
    },
    served,
    untilServed: (name) => program.until(async () => (await served()) === name),
    async stop(): Promise<void> {
      await program.stop('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Common name of the certificate that a TLS server on this host shows; '' when there is no handshake. */
async function servedName(port: number): Promise<string> {
  return await new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'edge.test', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', () => resolve(''));
    socket.on('close', () => resolve(''));
  });
}
