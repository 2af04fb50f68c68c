import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe } from 'node:test';
import { besideEnvoy, logLines } from '#test/support/beside-envoy.ts';
import { httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { der, oid, sequence, set, text } from '#test/support/der-writer.ts';
import { type GatewayProcess, ownRuntime } from '#test/support/gateway-process.ts';
import { extension, type MadeCertificate, make } from '#test/support/made-certificates.ts';
import { peerTest } from '#test/support/peers.ts';
import { type TlsRequest, tlsRequest } from '#test/support/tls-request.ts';

const attribute = (id: string, value: Uint8Array): Buffer => sequence(oid(id), value);
const utf8 = (value: string): Buffer => der(0x0c, Buffer.from(value));

/** Every attribute of X.520, and others, each in a set of its own. */
const everyAttribute = sequence(
  ...Array.from({ length: 80 }, (_, i) => set(attribute(`2.5.4.${i}`, utf8(`v${i}`)))),
  ...Array.from({ length: 62 }, (_, i) => set(attribute(`0.9.2342.19200300.100.1.${i}`, utf8('x')))),
  ...Array.from({ length: 27 }, (_, i) => set(attribute(`1.2.840.113549.1.9.${i}`, utf8('p9')))),
  ...['1.3.6.1.4.1.311.60.2.1.3', '1.3.6.1.4.1.311.20.2.3', '2.5.4.97', '1.2.3.4'].map((id) =>
    set(attribute(id, utf8('x'))),
  ),
);

/** Values that need care: types, escapes, several values in one set. */
const oddValues = sequence(
  set(attribute('2.5.4.10', utf8('Ünï, "Quoted" <x>; back\\slash + = #'))),
  set(attribute('2.5.4.3', utf8(' spaces around ')), attribute('2.5.4.11', utf8('second of a set'))),
  set(attribute('2.5.4.3', utf8('#hash'))),
  set(attribute('2.5.4.3', utf8(' '))),
  set(attribute('2.5.4.3', utf8(''))),
  set(attribute('2.5.4.3', utf8('line\r\nfeed\tand\u007f'))),
  set(attribute('2.5.4.3', utf8('a",URI=spiffe://admin,x="'))),
  set(attribute('2.5.4.3', der(0x1e, Buffer.from('Bmp 日本', 'utf16le').swap16()))),
  set(attribute('2.5.4.3', der(0x1c, Buffer.from('0000005500000055000065e5', 'hex')))),
  set(attribute('2.5.4.3', der(0x14, Buffer.from('T61 \u00e9', 'latin1')))),
  set(attribute('2.5.4.3', der(0x13, Buffer.from('printable')))),
  set(attribute('2.5.4.5', der(0x12, Buffer.from('123 456')))),
  set(attribute('1.2.840.113549.1.9.1', der(0x16, Buffer.from('a@b.test')))),
  set(attribute('2.5.4.45', der(0x03, Buffer.from([0, 1, 2])))),
);

const root = make({ name: 'root', ca: true });
const middle = make({ name: 'middle', ca: true, issuer: root, serial: 0xff0a });
const clients: readonly { readonly name: string; readonly leaf: MadeCertificate; readonly chain: string }[] = [
  client('plain', { name: 'plain', issuer: root, serial: 0x7f }),
  client('unnamed', { name: '', subject: sequence(), issuer: root, sans: ['uri:spiffe://td/only'] }),
  client(
    'several names',
    {
      name: 'several',
      issuer: middle,
      serial: 0xf00dbabe,
      sans: [
        'uri:spiffe://td/ns/a',
        'dns:one.test',
        'uri:https://second/?q=1;x',
        'dns:*.two.test',
        'ip:10.1.2.3',
        'email:m@x.test',
        'other:1.3.6.1.4.1.311.20.2.3=upn@x',
      ],
    },
    middle.pem,
  ),
  client('every attribute', { name: '', subject: everyAttribute, issuer: root }),
  client('odd values', { name: '', subject: oddValues, issuer: root }),
  client('other names of many types', {
    name: 'others',
    issuer: root,
    extensions: [
      extension(
        '2.5.29.17',
        false,
        sequence(
          ...[
            der(0x0c, Buffer.from('utf-8 é')),
            der(0x16, Buffer.from('ia5')),
            der(0x02, Buffer.from([0x01, 0x00])),
            der(0x02, Buffer.from([0xff])),
            der(0x0a, Buffer.from([7])),
            der(0x01, Buffer.from([0xff])),
            der(0x04, Buffer.from('octets')),
            der(0x05),
            der(0x06, Buffer.from([42, 3, 4])),
            der(0x1e, Buffer.from('Bmp é', 'utf16le').swap16()),
          ].map((value) => der(0xa0, oid('1.2.3'), der(0xa0, value))),
          der(0x87, Buffer.from('20010db8000000000000000000000001', 'hex')),
          der(0x88, Buffer.from([42, 3, 4])),
        ),
      ),
    ],
  }),
  client('untrusted', { name: 'untrusted' }),
];

function client(name: string, options: Parameters<typeof make>[0], rest = ''): (typeof clients)[number] {
  const leaf = make(options);
  return { name, leaf, chain: leaf.pem + rest };
}

const server = make({
  name: 'server.test',
  subject: sequence(set(attribute('2.5.4.10', text('Srv, Inc'))), set(attribute('2.5.4.3', text('server.test')))),
  issuer: root,
  sans: [
    'uri:spiffe://td/server',
    'dns:server.test',
    'uri:spiffe://td/second',
    'ip:127.0.0.1',
    'email:s@x.test',
    'other:1.2.3=own',
  ],
});
const upstreamLeaf = make({
  name: 'upstream, "x"',
  issuer: root,
  sans: ['dns:up.test', 'uri:spiffe://td/up', 'ip:127.0.0.1', 'dns:second.test'],
});
const gatewayClient = make({ name: 'gw', issuer: root, sans: ['uri:spiffe://td/gw', 'dns:gw.test', 'ip:10.0.0.9'] });

const operators = [
  ...['SUBJECT', 'URI_SAN', 'DNS_SAN', 'IP_SAN', 'EMAIL_SAN', 'OTHERNAME_SAN'].map((n) => `DOWNSTREAM_LOCAL_${n}`),
  ...['SUBJECT', 'ISSUER', 'URI_SAN', 'DNS_SAN', 'IP_SAN', 'EMAIL_SAN', 'OTHERNAME_SAN', 'SERIAL', 'CERT'].map(
    (n) => `DOWNSTREAM_PEER_${n}`,
  ),
  ...['FINGERPRINT_1', 'FINGERPRINT_256', 'CHAIN_FINGERPRINTS_1', 'CHAIN_FINGERPRINTS_256', 'CHAIN_SERIALS'].map(
    (n) => `DOWNSTREAM_PEER_${n}`,
  ),
  'DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256',
  'DOWNSTREAM_PEER_ISSUER_SERIAL',
  'DOWNSTREAM_PEER_CERT_V_START',
  'DOWNSTREAM_PEER_CERT_V_END',
  'DOWNSTREAM_PEER_CERT_V_START(%s)',
  'DOWNSTREAM_PEER_CERT_V_END(%b %e %H:%M:%S %Y %Z)',
  'DOWNSTREAM_PEER_CERT_V_END(%3f)',
  'DOWNSTREAM_TLS_VERSION',
  'REQUESTED_SERVER_NAME',
  ...[
    'SNI_ONLY',
    'SNI_FIRST',
    'HOST_FIRST',
    'HOST_FIRST:ORIG',
    'HOST_FIRST:HOST',
    'SNI_FIRST:HOST',
    'SNI_FIRST:ORIG',
  ].map((options) => `REQUESTED_SERVER_NAME(${options})`),
  'DOWNSTREAM_TRANSPORT_FAILURE_REASON',
  ...['SUBJECT', 'ISSUER', 'URI_SAN', 'DNS_SAN', 'IP_SAN', 'CERT', 'CERT_V_START', 'CERT_V_END(%s)'].map(
    (n) => `UPSTREAM_PEER_${n}`,
  ),
  ...['URI_SAN', 'DNS_SAN', 'IP_SAN'].map((n) => `UPSTREAM_LOCAL_${n}`),
  'UPSTREAM_TLS_VERSION',
  'UPSTREAM_TRANSPORT_FAILURE_REASON',
];

const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.${name}`;
const format = operators.map((operator) => `%${operator}%`).join('\t');
const log = `access_log: [ { name: l, typed_config: { ${type('access_loggers.file.v3.FileAccessLog')}, path: "{dir}/requests.log", log_format: { text_format_source: { inline_string: ${JSON.stringify(`${format}\t%DOWNSTREAM_TLS_CIPHER%\t${ownRuntime === 'deno' ? '-' : '%DOWNSTREAM_TLS_SESSION_ID%'}\n`)} } } } } ]`;

const files = (name: string, certificate: MadeCertificate): Record<string, string> => ({
  [`${name}.pem`]: certificate.pem,
  [`${name}.key`]: certificate.key,
});
const identity = (name: string): string =>
  `tls_certificates: [ { certificate_chain: { filename: "{dir}/${name}.pem" }, private_key: { filename: "{dir}/${name}.key" } } ]`;

const tlsRoutes = [
  ['/presented', '{ presented: true }'],
  ['/absent', '{ presented: false }'],
  ['/validated', '{ validated: true }'],
  ['/unvalidated', '{ validated: false }'],
  ['/both', '{ presented: true, validated: false }'],
  ['/any', '{}'],
].map(([path, match]) => `{ match: { path: ${path}, tls_context: ${match} }, direct_response: { status: 201 } }`);
const virtualHosts = `{ name: all, domains: [ "*" ], request_headers_to_add: [ { header: { key: x-facts, value: "%DOWNSTREAM_PEER_SERIAL% %DOWNSTREAM_LOCAL_URI_SAN%" } } ], routes: [ ${tlsRoutes.join(', ')}, { match: { prefix: /no }, direct_response: { status: 404 } }, { match: { prefix: / }, route: { cluster: app } } ] }`;

const modes = ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY'] as const;
const listeners: readonly { readonly name: string; readonly mode: string; readonly details: string }[] = [
  ...modes.map((mode) => ({
    name: mode,
    mode,
    details: 'subject: true, cert: true, chain: true, dns: true, uri: true',
  })),
  { name: 'bare', mode: 'APPEND_FORWARD', details: '' },
  { name: 'uri', mode: 'SANITIZE_SET', details: 'uri: true' },
];

function listener({ name, mode, details }: (typeof listeners)[number]): string {
  const manager = [
    // Envoy waits for this long after each answer: every request has a connection of its own.
    'delayed_close_timeout: 0.02s',
    `forward_client_cert_details: ${mode}`,
    ...(details === '' ? [] : [`set_current_client_cert_details: { ${details} }`]),
    log,
  ];
  const context = `{ name: tls, typed_config: { ${type('transport_sockets.tls.v3.DownstreamTlsContext')}, common_tls_context: { ${identity('server')}, validation_context: { trusted_ca: { filename: "{dir}/root.pem" }, trust_chain_verification: ACCEPT_UNTRUSTED } } } }`;
  const inspector = `listener_filters: [ { name: i, typed_config: { ${type('filters.listener.tls_inspector.v3.TlsInspector')} } } ]`;
  return httpListener({ name, virtualHosts, manager }).replace(
    / \} \] \}$/,
    `, transport_socket: ${context} } ], ${inspector} }`,
  );
}

interface Case extends Omit<TlsRequest, 'port'> {
  readonly name: string;
  readonly listener: string;
}

const cases: readonly Case[] = [
  ...clients.flatMap(({ name, leaf, chain }) => [
    ...listeners.map((l) => ({
      name: `${name}, ${l.name}`,
      listener: l.name,
      certificate: chain,
      key: leaf.key,
      serverName: 'sni.test',
      headers: ['x-forwarded-client-cert: Hash=one;Subject="a,b"', 'x-forwarded-client-cert: Hash=two'],
    })),
    ...tlsRoutes.map((_, i) => ({
      name: `${name}, route ${i}`,
      listener: 'SANITIZE',
      certificate: chain,
      key: leaf.key,
      path: ['/presented', '/absent', '/validated', '/unvalidated', '/both', '/any'][i]!,
    })),
  ]),
  ...listeners.map((l) => ({
    name: `nobody, ${l.name}`,
    listener: l.name,
    headers: ['x-forwarded-client-cert: Hash=one'],
  })),
  ...['/presented', '/absent', '/validated', '/unvalidated', '/both', '/any'].map((path) => ({
    name: `nobody, ${path}`,
    listener: 'SANITIZE',
    path,
  })),
  {
    name: 'no header of its own',
    listener: 'APPEND_FORWARD',
    certificate: clients[2]!.chain,
    key: clients[2]!.leaf.key,
  },
  { name: 'no SNI, a port', listener: 'bare', host: 'Host.Test:99', headers: ['x-envoy-original-host: orig.test'] },
  { name: 'TLS 1.2', listener: 'bare', certificate: clients[0]!.chain, key: clients[0]!.leaf.key, version: 'TLSv1.2' },
];

/** Certificates are long: the start is enough to see what differs. */
function shown(text: string | undefined): string {
  return text === undefined ? 'nothing' : text.slice(0, 400);
}

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly cipher: string;
}

async function drive(gateway: GatewayProcess): Promise<{ readonly seen: readonly Seen[]; readonly lines: string[] }> {
  const seen: Seen[] = [];
  for (const one of cases) {
    const { status, body, cipher, error } = await tlsRequest({ ...one, port: gateway.port(one.listener) });
    assert.equal(error, '', one.name);
    seen.push({ status, body, cipher });
  }
  return { seen, lines: await logLines(gateway, 'requests.log', cases.length) };
}

describe('TLS facts beside Envoy', () => {
  peerTest('envoy', 'x-forwarded-client-cert, log operators and route matches are equal', async (envoy) => {
    const upstream = https.createServer(
      { cert: upstreamLeaf.pem, key: upstreamLeaf.key, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const names = ['x-forwarded-client-cert', 'x-facts'];
        response.end(JSON.stringify(names.map((name) => request.headers[name] ?? null)));
      },
    );
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const context = `transport_socket: { name: tls, typed_config: { ${type('transport_sockets.tls.v3.UpstreamTlsContext')}, sni: up.test, common_tls_context: { tls_params: { tls_maximum_protocol_version: TLSv1_3 }, ${identity('gateway')}, validation_context: { trusted_ca: { filename: "{dir}/root.pem" } } } } }`;
    const resources = staticResources(listeners.map(listener), [staticCluster('app', [port], { fields: [context] })]);
    const options = {
      args: ['--file-flush-interval-msec', '50'],
      files: { ...files('server', server), ...files('gateway', gatewayClient), 'root.pem': root.pem },
    };
    try {
      const { theirs: expected, ours: actual } = await besideEnvoy(envoy, resources, options, drive);
      const differences: string[] = [];
      for (const [i, { name }] of cases.entries()) {
        assert.equal(actual.seen[i]!.status, expected.seen[i]!.status, name);
        const ourParts = actual.seen[i]!.body.split(/[;,]/);
        for (const [j, part] of expected.seen[i]!.body.split(/[;,]/).entries()) {
          if (ourParts[j] !== part) differences.push(`${name}: ${shown(ourParts[j])} for ${shown(part)}`);
        }
        assert.equal(
          actual.seen[i]!.body.length,
          expected.seen[i]!.body.length,
          `${name}: ${differences.slice(0, 40).join('\n')}`,
        );
        const theirWords = expected.lines[i]!.split('\t');
        const ourWords = actual.lines[i]!.split('\t');
        for (const [j, operator] of operators.entries()) {
          if (ourWords[j] !== theirWords[j])
            differences.push(`${name}: ${operator}: ${shown(ourWords[j])} for ${shown(theirWords[j])}`);
        }
        // Which suite is chosen is the TLS library's affair; its name is what the client calls it.
        const sessionId = ourWords[operators.length + 1]!;
        if (ownRuntime !== 'deno') assert.equal(ourWords[operators.length], actual.seen[i]!.cipher, name);
        assert.match(sessionId, /^(?:-|[0-9a-f]{64})$/, name);
        // The same library makes the same of it: only a session that it can look up has an identifier.
        if (ownRuntime === 'bun') assert.equal(sessionId === '-', theirWords[operators.length + 1] === '-', name);
      }
      assert.equal(differences.slice(0, 40).join('\n'), '');
    } finally {
      upstream.close();
    }
  });
});
