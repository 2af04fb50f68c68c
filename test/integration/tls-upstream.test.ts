import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import tls, { type TLSSocket } from 'node:tls';
import { createCertificate } from '#test/support/certificates.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { findPeer, isRequired } from '#test/support/peers.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const server = await createCertificate({ name: 'server', sans: ['dns:a.test', 'dns:b.test'], issuer: ca });
const client = await createCertificate({ name: 'client', issuer: ca });

/** What the upstream server saw of its last connection. */
interface Seen {
  readonly name: string;
  readonly alpn: string;
  readonly client: string;
}

const types = 'type.googleapis.com/envoy.extensions';
const trusted = 'validation_context: { trusted_ca: { filename: "{dir}/ca.pem" } }';
const pair = 'certificate_chain: { filename: "{dir}/client.pem" }, private_key: { filename: "{dir}/client.key" }';
const http1 = 'explicit_http_config: { http_protocol_options: {} }';

interface Case {
  /** UpstreamTlsContext. */
  readonly context: string;
  /** Fields of HttpProtocolOptions. */
  readonly options?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Fields of the endpoint and of its address. */
  readonly endpoint?: string;
  /** Metadata of the endpoint: the context is then for those with `secure: true` alone (transport_socket_matches). */
  readonly metadata?: string;
  /** 'refused': the connection fails. */
  readonly want: Seen | 'refused';
}
const saw = (name: string, alpn = 'http/1.1', peer = ''): Seen => ({ name, alpn, client: peer });

const cases: Readonly<Record<string, Case>> = {
  sni: { context: `sni: a.test, common_tls_context: { ${trusted} }`, want: saw('a.test') },
  'no name': { context: `common_tls_context: { ${trusted} }`, want: saw('') },
  auto_sni: {
    context: `sni: b.test, common_tls_context: { ${trusted} }`,
    options: 'upstream_http_protocol_options: { auto_sni: true }',
    want: saw('a.test'),
  },
  'auto_sni of another header': {
    context: `common_tls_context: { ${trusted} }`,
    options: 'upstream_http_protocol_options: { auto_sni: true, override_auto_sni_header: x-name }',
    headers: { 'x-name': 'b.test' },
    want: saw('b.test'),
  },
  'auto_san_validation of a name that it has': {
    context: `common_tls_context: { ${trusted} }`,
    options: 'upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true }',
    want: saw('a.test'),
  },
  'auto_san_validation of another': {
    context: `common_tls_context: { ${trusted} }`,
    options: 'upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true }',
    headers: { host: 'c.test' },
    want: 'refused',
  },
  'auto_san_validation without a CA': {
    context: 'common_tls_context: {}',
    options: 'upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true }',
    want: 'refused',
  },
  auto_host_sni: {
    context: `sni: b.test, auto_host_sni: true, common_tls_context: { ${trusted} }`,
    endpoint: 'hostname: host.test, ',
    want: saw('host.test'),
  },
  'auto_sni_san_validation of another': {
    context: `sni: c.test, auto_sni_san_validation: true, common_tls_context: { ${trusted} }`,
    want: 'refused',
  },
  'transport_socket_matches: it does': {
    context: `sni: b.test, common_tls_context: { ${trusted} }`,
    metadata: '{ secure: true }',
    want: saw('b.test'),
  },
  'transport_socket_matches: it does not, and clear text is nothing for this server': {
    context: `sni: b.test, common_tls_context: { ${trusted} }`,
    metadata: '{ secure: false }',
    want: 'refused',
  },
  'alpn_protocols of its own': {
    context: `sni: a.test, common_tls_context: { alpn_protocols: [http/1.1, foo], ${trusted} }`,
    want: saw('a.test'),
  },
  'a client certificate': {
    context: `sni: a.test, common_tls_context: { tls_certificates: [{ ${pair} }], ${trusted} }`,
    want: saw('a.test', 'http/1.1', 'client'),
  },
  'a client certificate by SDS': {
    context: `sni: a.test, common_tls_context: { tls_certificate_sds_secret_configs: [{ name: own, sds_config: { path_config_source: { path: "{dir}/sds.yaml" }, resource_api_version: V3 } }], ${trusted} }`,
    want: saw('a.test', 'http/1.1', 'client'),
  },
};
const files = {
  'ca.pem': ca.certificate,
  'client.pem': client.certificate,
  'client.key': client.privateKey,
  'sds.yaml': `resources:
- "@type": ${types}.transport_sockets.tls.v3.Secret
  name: own
  tls_certificate:
    certificate_chain: { inline_string: ${JSON.stringify(client.certificate)} }
    private_key: { inline_string: ${JSON.stringify(client.privateKey)} }
`,
};
const idOf = (name: string): string => name.replaceAll(/\W/g, '_');

function transportSocket(context: string, matched: boolean): string {
  const socket = `{ name: tls, typed_config: { "@type": ${types}.transport_sockets.tls.v3.UpstreamTlsContext, ${context} } }`;
  return matched
    ? `    transport_socket_matches: [{ name: secure, match: { secure: true }, transport_socket: ${socket} }]`
    : `    transport_socket: ${socket}`;
}

function bootstrap(port: number): string {
  const routes = Object.keys(cases).map(
    (name) => `
              - match: { path: /${idOf(name)} }
                route: { cluster: ${idOf(name)} }`,
  );
  const clusters = Object.entries(cases).map(
    ([name, { context, options, endpoint, metadata }]) => `
  - name: ${idOf(name)}
    connect_timeout: 3s
    load_assignment:
      cluster_name: ${idOf(name)}
      endpoints:
      - lb_endpoints:
        - endpoint: { ${endpoint ?? ''}address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } }
          metadata: { filter_metadata: { envoy.transport_socket_match: ${metadata ?? '{}'} } }
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        { "@type": ${types}.upstreams.http.v3.HttpProtocolOptions, ${http1}, ${options ?? 'upstream_http_protocol_options: {}'} }
${transportSocket(context, metadata !== undefined)}`,
  );
  return `node: { id: test, cluster: test }
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": ${types}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          http_filters:
          - { name: router, typed_config: { "@type": ${types}.filters.http.router.v3.Router } }
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:${routes.join('')}
  clusters:${clusters.join('')}
`;
}

function ask(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path, agent: false, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    request.on('error', reject);
  });
}

const envoyPath = findPeer('envoy');

describe('TLS to upstream servers', () => {
  let last: Seen | null = null;
  const open = new Set<TLSSocket>();
  const upstream = tls.createServer(
    {
      cert: server.certificate,
      key: server.privateKey,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    },
    (socket) => {
      open.add(socket);
      socket.on('error', () => {});
      const { servername } = socket as TLSSocket & { servername?: string | false };
      last = {
        name: String(servername || ''),
        alpn: String(socket.alpnProtocol || ''),
        client: String(socket.getPeerCertificate()?.subject?.CN ?? ''),
      };
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'));
    },
  );
  upstream.on('tlsClientError', () => {});
  before(() => new Promise<void>((done) => void upstream.listen(0, '127.0.0.1', done)));
  after(() => {
    for (const socket of open) socket.destroy();
    upstream.close();
  });

  const gateways: readonly [string, string | null][] = [
    ['ours', null],
    ['Envoy', envoyPath],
  ];
  for (const [title, envoy] of gateways) {
    const absent = title === 'Envoy' && envoy === null && !isRequired('envoy');
    describe(title, absent ? { skip: 'envoy is not installed' } : {}, () => {
      let gateway: GatewayProcess;
      before(async () => {
        const { port } = upstream.address() as { port: number };
        gateway = await startGateway(bootstrap(port), { files, ...(envoy === null ? {} : { envoy }) });
      });
      after(() => gateway?.stop());

      for (const [name, { headers, want }] of Object.entries(cases)) {
        it(`${name}: ${want === 'refused' ? want : JSON.stringify(want)}`, async () => {
          last = null;
          const status = await ask(gateway.port('main'), `/${idOf(name)}`, { host: 'a.test', ...headers });
          // An alert in answer to clear text is a protocol error: 502.
          if (want === 'refused') assert.ok(status === 503 || status === 502, String(status));
          else assert.deepEqual({ status, ...last! }, { status: 200, ...want });
        });
      }
    });
  }
});
