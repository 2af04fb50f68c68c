import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { describe } from 'node:test';
import { besideEnvoy, logLines } from '#test/support/beside-envoy.ts';
import { staticCluster, staticResources } from '#test/support/bootstrap.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { type MadeCertificate, make } from '#test/support/made-certificates.ts';
import { peerTest } from '#test/support/peers.ts';
import { type TlsRequest, tlsRequest } from '#test/support/tls-request.ts';

const root = make({ name: 'root', ca: true });
const issue = (name: string, kind: 'p256' | 'rsa2048' = 'p256'): MadeCertificate =>
  make({ name, issuer: root, sans: [`dns:${name}`], keys: kind });
const certificates = {
  one: issue('one.test'),
  two: issue('*.two.test', 'rsa2048'),
  other: issue('other.test'),
  tcp: issue('tcp.test'),
};
const behind = issue('pass.test');
const client = make({ name: 'client', issuer: root });

const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.${name}`;

function terminated(name: keyof typeof certificates, more = ''): string {
  const pair = `{ certificate_chain: { filename: "{dir}/${name}.pem" }, private_key: { filename: "{dir}/${name}.key" } }`;
  const validation = more === '' ? '' : ', validation_context: { trusted_ca: { filename: "{dir}/root.pem" } }';
  return `transport_socket: { name: tls, typed_config: { ${type('transport_sockets.tls.v3.DownstreamTlsContext')}, ${more} common_tls_context: { alpn_protocols: [ http/1.1 ], tls_certificates: [ ${pair} ]${validation} } } }`;
}

/** Envoy waits for this long after an answer that ends a TLS connection: every visit here is one. */
const delayedClose = 'delayed_close_timeout: 0.02s';

function answers(name: string): string {
  const router = `{ name: r, typed_config: { ${type('filters.http.router.v3.Router')} } }`;
  const body = `${name} %DOWNSTREAM_TLS_VERSION% %REQUESTED_SERVER_NAME% %FILTER_CHAIN_NAME% %DOWNSTREAM_PEER_SUBJECT%`;
  const routes = `[ { match: { prefix: / }, response_headers_to_add: [ { header: { key: x-seen, value: "${body}" } } ], direct_response: { status: 200, body: { inline_string: "${name}" } } } ]`;
  return `filters: [ { name: h, typed_config: { ${type('filters.network.http_connection_manager.v3.HttpConnectionManager')}, stat_prefix: ${name}, route_config: { virtual_hosts: [ { name: a, domains: [ "*" ], routes: ${routes} } ] }, http_filters: [ ${router} ], ${delayedClose} } } ]`;
}

function carried(cluster: string): string {
  return `filters: [ { name: t, typed_config: { ${type('filters.network.tcp_proxy.v3.TcpProxy')}, stat_prefix: ${cluster}, cluster: ${cluster} } } ]`;
}

const chains = [
  `{ name: passthrough, filter_chain_match: { server_names: [ pass.test ] }, ${carried('tls_behind')} }`,
  `{ name: challenge, filter_chain_match: { transport_protocol: tls, application_protocols: [ acme-tls/1 ] }, ${carried('tls_behind')} }`,
  `{ name: one, filter_chain_match: { server_names: [ one.test ] }, ${terminated('one')}, ${answers('one')} }`,
  `{ name: two, filter_chain_match: { server_names: [ "*.two.test" ] }, ${terminated('two', 'require_client_certificate: true,')}, ${answers('two')} }`,
  `{ name: tcp, filter_chain_match: { server_names: [ tcp.test ] }, ${terminated('tcp')}, ${carried('plain_behind')} }`,
  `{ name: other, filter_chain_match: { transport_protocol: tls }, ${terminated('other')}, ${answers('other')} }`,
  `{ name: clear, filter_chain_match: { transport_protocol: raw_buffer }, ${answers('clear')} }`,
];
const format =
  '%FILTER_CHAIN_NAME% %REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_LOCAL_SUBJECT% %DOWNSTREAM_PEER_SUBJECT% %RESPONSE_FLAGS% %DOWNSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_CLUSTER%';
const log = (name: string): string =>
  `access_log: [ { name: l, typed_config: { ${type('access_loggers.file.v3.FileAccessLog')}, path: "{dir}/${name}.log", log_format: { text_format_source: { inline_string: "${format}\\n" } } } } ]`;
const inspector = `listener_filters: [ { name: i, typed_config: { ${type('filters.listener.tls_inspector.v3.TlsInspector')} } } ]`;
const listener = (name: string, among: readonly string[]): string =>
  `{ name: ${name}, address: { socket_address: { address: 127.0.0.1, port_value: 0 } }, ${inspector}, ${log(name)}, filter_chains: [ ${among.join(', ')} ] }`;

/** Everything that a client can see. */
interface Seen {
  readonly name: string;
  readonly status: number;
  readonly body: string;
  readonly certificate: string;
  readonly failed: boolean;
}

const holder = { certificate: client.pem, key: client.key };
const visits: readonly (Omit<TlsRequest, 'port'> & { readonly name: string })[] = [
  { name: 'passthrough', serverName: 'pass.test' },
  { name: 'passthrough by name in capitals', serverName: 'PASS.test' },
  { name: 'terminated', serverName: 'one.test' },
  { name: 'terminated, TLS 1.2', serverName: 'one.test', version: 'TLSv1.2' },
  { name: 'terminated, client certificate', serverName: 'a.two.test', ...holder },
  { name: 'terminated, client certificate, TLS 1.2', serverName: 'b.two.test', version: 'TLSv1.2', ...holder },
  { name: 'client certificate missing', serverName: 'a.two.test', version: 'TLSv1.2' },
  { name: 'a wildcard does not cover its own domain', serverName: 'two.test' },
  { name: 'terminated, carried as octets', serverName: 'tcp.test' },
  { name: 'a name of nobody', serverName: 'nobody.test' },
  { name: 'no name' },
  { name: 'passthrough by protocol', serverName: 'nobody.test', protocols: ['acme-tls/1'] },
  { name: 'the name goes before the protocol', serverName: 'one.test', protocols: ['acme-tls/1'] },
  { name: 'no protocol in common', serverName: 'one.test', protocols: ['other/1'] },
];

function nameOf(certificate: Buffer | null): string {
  for (const [name, { der }] of [...Object.entries(certificates), ['behind', behind] as const]) {
    if (certificate !== null && Buffer.compare(der, certificate) === 0) return name;
  }
  return certificate === null ? 'none' : 'unknown';
}

async function visit(gateway: GatewayProcess, to: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  const port = gateway.port(to);
  for (const one of visits) {
    const { status, body, certificate, error } = await tlsRequest({ ...one, port });
    seen.push({ name: one.name, status, body, certificate: nameOf(certificate), failed: status === 0 || error !== '' });
  }
  seen.push(await clearText(port));
  return seen;
}

function clearText(port: number): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/', agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () =>
        resolve({ name: 'clear text', status: response.statusCode ?? 0, body, certificate: 'none', failed: false }),
      );
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET')
        resolve({ name: 'clear text', status: 0, body: '', certificate: 'none', failed: true });
      else reject(error);
    });
  });
}

describe('one port beside Envoy', () => {
  peerTest('envoy', 'holds passthrough, termination, TLS and clear text, each chain with its own', async (envoy) => {
    const tlsBehind = https.createServer(
      { cert: behind.pem, key: behind.key, ALPNProtocols: ['acme-tls/1', 'http/1.1'] },
      (_, response) => response.setHeader('connection', 'close').end('behind TLS'),
    );
    const plainBehind = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\noctets'));
    });
    for (const server of [tlsBehind, plainBehind])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;
    const resources = staticResources(
      [listener('all', chains), listener('named', chains.slice(0, 5))],
      [staticCluster('tls_behind', [portOf(tlsBehind)]), staticCluster('plain_behind', [portOf(plainBehind)])],
    );
    const files: Record<string, string> = { 'root.pem': root.pem };
    for (const [name, { pem, key }] of Object.entries(certificates)) {
      files[`${name}.pem`] = pem;
      files[`${name}.key`] = key;
    }
    const args = ['--file-flush-interval-msec', '50'];
    const lines = visits.length + 1;
    try {
      const { theirs, ours } = await besideEnvoy(envoy, resources, { files, args }, async (gateway) => {
        const all = await visit(gateway, 'all');
        const named = await visit(gateway, 'named');
        const logs = [await logLines(gateway, 'all.log', lines), await logLines(gateway, 'named.log', lines)];
        const stats = (await gateway.admin('/stats?filter=no_filter_chain_match|tls_inspector')).text
          .split('\n')
          .filter((line) =>
            line.startsWith('tls_inspector')
              ? line.includes('found')
              : line.startsWith('listener.127') && line.includes('no_filter_chain_match'),
          )
          .map((line) => line.replace(/_\d+\./, '_PORT.'))
          .toSorted();
        return { all, named, logs: logs.map((log) => log.toSorted()), stats };
      });
      assert.deepEqual(ours, theirs);
      const expected = [
        'behind',
        'behind',
        'one',
        'one',
        'two',
        'two',
        'two',
        'other',
        'tcp',
        'other',
        'other',
        'behind',
        'one',
        'one',
        'none',
      ];
      assert.deepEqual(
        theirs.all.map(({ certificate }) => certificate),
        expected.map((name, i) => (visits[i]?.name === 'client certificate missing' ? 'none' : name)),
      );
      const refused = theirs.all.filter(({ failed }) => failed).map(({ name }) => name);
      assert.deepEqual(refused, ['client certificate missing']);
    } finally {
      tlsBehind.close();
      plainBehind.close();
    }
  });
});
