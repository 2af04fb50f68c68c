import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { describe } from 'node:test';
import { besideEnvoy, logLines } from '#test/support/beside-envoy.ts';
import { staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { type GatewayProcess, ownRuntime } from '#test/support/gateway-process.ts';
import { type MadeCertificate, make } from '#test/support/made-certificates.ts';
import { peerTest } from '#test/support/peers.ts';
import { recordedHellos } from '#test/support/recorded-hellos.ts';
import { type TlsRequest, tlsRequest } from '#test/support/tls-request.ts';

const root = make({ name: 'root', ca: true });
const middle = make({ name: 'middle', ca: true, issuer: root });
const server = make({ name: 'server.test', issuer: root });
const leaf = make({
  name: 'client',
  issuer: middle,
  sans: ['dns:client.test', 'uri:spiffe://td/client', 'email:a@b.test'],
});
const expired = make({ name: 'expired', issuer: root, from: -20, until: -10 });
const stranger = make({ name: 'stranger' });

const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.${name}`;
const format =
  '%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %REQUESTED_SERVER_NAME% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_TLS_VERSION% %TLS_JA3_FINGERPRINT% %TLS_JA4_FINGERPRINT% %FILTER_CHAIN_NAME% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_LOCAL_SUBJECT% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%';

function listener(name: string, context: string, common: string): string {
  const log = `access_log: [ { name: l, typed_config: { ${type('access_loggers.file.v3.FileAccessLog')}, path: "{dir}/log", log_format: { text_format_source: { inline_string: "${name} ${format}\\n" } } } } ]`;
  const inspector = `listener_filters: [ { name: i, typed_config: { ${type('filters.listener.tls_inspector.v3.TlsInspector')}, enable_ja3_fingerprinting: true, enable_ja4_fingerprinting: true } } ]`;
  const identity =
    'tls_certificates: [ { certificate_chain: { filename: "{dir}/server.pem" }, private_key: { filename: "{dir}/server.key" } } ]';
  const tls = `transport_socket: { name: tls, typed_config: { ${type('transport_sockets.tls.v3.DownstreamTlsContext')}, ${context} common_tls_context: { ${common} ${identity} } } }`;
  const proxy = `filters: [ { name: t, typed_config: { ${type('filters.network.tcp_proxy.v3.TcpProxy')}, stat_prefix: t, cluster: behind } } ]`;
  return `{ name: ${name}, stat_prefix: ${name}, address: { socket_address: { address: 127.0.0.1, port_value: 0 } }, ${inspector}, ${log}, filter_chains: [ { name: chain_${name}, transport_socket_connect_timeout: 1s, ${tls}, ${proxy} } ] }`;
}

const trusted = 'trusted_ca: { filename: "{dir}/root.pem" }';
const mutual = 'require_client_certificate: true,';
const listeners = [
  listener('mutual', mutual, `validation_context: { ${trusted} },`),
  listener(
    'named',
    mutual,
    `validation_context: { ${trusted}, match_typed_subject_alt_names: [ { san_type: DNS, matcher: { exact: no.test } } ] },`,
  ),
  listener('hashed', mutual, `validation_context: { verify_certificate_hash: [ "${'ab'.repeat(32)}" ] },`),
  listener('modern', '', 'tls_params: { tls_minimum_protocol_version: TLSv1_3 },'),
];

interface Handshake extends Omit<TlsRequest, 'port'> {
  readonly name: string;
  readonly listener: string;
}

const holder = (certificate: MadeCertificate, rest = ''): Pick<TlsRequest, 'certificate' | 'key'> => ({
  certificate: certificate.pem + rest,
  key: certificate.key,
});
const good = holder(leaf, middle.pem);
const handshakes: readonly Handshake[] = [
  { name: 'no certificate', listener: 'mutual', serverName: 'a.test', version: 'TLSv1.3' },
  { name: 'no certificate, TLS 1.2', listener: 'mutual', serverName: 'a.test', version: 'TLSv1.2' },
  { name: 'an unknown issuer', listener: 'mutual', ...holder(leaf), version: 'TLSv1.3' },
  { name: 'expired', listener: 'mutual', ...holder(expired), version: 'TLSv1.3' },
  { name: 'self-signed', listener: 'mutual', ...holder(stranger), serverName: 'b.test', version: 'TLSv1.2' },
  { name: 'good', listener: 'mutual', ...good, serverName: 'c.test', version: 'TLSv1.3' },
  { name: 'another name', listener: 'named', ...good, version: 'TLSv1.3' },
  { name: 'another hash', listener: 'hashed', ...good, version: 'TLSv1.3' },
  { name: 'too old a version', listener: 'modern', serverName: 'd.test', version: 'TLSv1.2' },
];

interface Octets {
  readonly name: string;
  readonly octets: Uint8Array;
  /** `at_once`: our side is closed with the octets; `answered`: when the server has said something. */
  readonly end?: 'at_once' | 'answered';
  /** The answer is the TLS library's, which is Envoy's on Bun only. */
  readonly library?: boolean;
}

const hello = Buffer.from(recordedHellos[0]!.hex, 'hex');
const strangers: readonly Octets[] = [
  { name: 'plain HTTP', octets: Buffer.from('GET / HTTP/1.1\r\n\r\n') },
  { name: 'an HTTP proxy request', octets: Buffer.from('CONNECT a:1 HTTP/1.1\r\n\r\n') },
  { name: 'another protocol', octets: Buffer.from('SSH-2.0-x\r\n') },
  { name: 'HTTP/2 without TLS', octets: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') },
  { name: 'an SSL 2 hello', octets: Buffer.from('802e010002'.padEnd(80, '00'), 'hex') },
  { name: 'nonsense in a record', octets: Buffer.from('16030100 0568656c6c6f'.replace(' ', ''), 'hex') },
  { name: 'a record of another type', octets: Buffer.from('170303000461626364', 'hex') },
  { name: 'another message', octets: Buffer.from('16030100080200000403030000', 'hex') },
  { name: 'a hello cut short', octets: Buffer.from('16030100080100000403030000', 'hex') },
  { name: 'a record too large', octets: Buffer.from('160301500001000050', 'hex') },
  { name: 'half a hello, then the end', octets: hello.subarray(0, 60), end: 'at_once' },
  { name: 'a hello, then the end', octets: hello, end: 'answered', library: true },
  { name: 'a hello, then silence', octets: hello, library: true },
  // Envoy's inspector drops an SSL 3 client itself; ours leaves it to the handshake, which refuses it.
  ...recordedHellos
    .slice(1)
    .filter(({ name }) => !name.includes('SSL 3'))
    .map(({ name, hex }): Octets => ({ name, octets: Buffer.from(hex, 'hex'), end: 'answered', library: true })),
];

/** Sends octets and reads until the server closes; the answer is an alert in hexadecimal, or what else came. */
function send(port: number, { octets, end }: Octets): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('data', (chunk: Buffer) => {
      parts.push(chunk);
      if (end === 'answered') socket.end();
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      const answer = Buffer.concat(parts);
      resolve(answer.length <= 7 ? answer.toString('hex') : 'a handshake');
    });
    if (end === 'at_once') socket.end(octets);
    else socket.write(octets);
  });
}

const counted =
  /\.ssl\.(?:connection_error|fail_verify_\w+|handshake|no_certificate|versions\.[\w.]+): |connect_timeout: |tls_inspector\.(?:\w+_(?:not_)?found|client_hello_too_large): |listener_filter_\w+: |no_filter_chain_match: /;

describe('TLS failures beside Envoy', () => {
  peerTest('envoy', 'are logged, counted and answered alike', async (envoy) => {
    const behind = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
      socket.on('end', () => socket.end());
    });
    await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve));
    const { port } = behind.address() as net.AddressInfo;
    const resources = staticResources(listeners, [staticCluster('behind', [port])]);
    const files = { 'server.pem': server.pem, 'server.key': server.key, 'root.pem': root.pem };
    const args = ['--file-flush-interval-msec', '5'];
    const drive = async (gateway: GatewayProcess) => {
      const seen: { name: string; line: string; answer: string }[] = [];
      for (const one of handshakes) {
        const { status } = await tlsRequest({ ...one, port: gateway.port(one.listener) });
        const lines = await logLines(gateway, 'log', seen.length + 1);
        seen.push({ name: one.name, line: lines[seen.length] ?? '', answer: String(status) });
      }
      for (const one of strangers) {
        const answer = await send(gateway.port('mutual'), one);
        const lines = await logLines(gateway, 'log', seen.length + 1);
        seen.push({ name: one.name, line: lines[seen.length] ?? '', answer });
      }
      const { text } = await gateway.admin('/stats');
      const stats = text.split('\n').filter((line) => counted.test(line) && !line.startsWith('listener.admin'));
      return { seen, stats: stats.filter((line) => !line.endsWith(': 0')).toSorted() };
    };
    try {
      const { theirs, ours } = await besideEnvoy(envoy, resources, { files, args }, drive);
      const differences: string[] = [];
      const others = new Set(strangers.filter(({ library }) => library).map(({ name }) => name));
      for (const [i, { name, line, answer }] of theirs.seen.entries()) {
        const own = ours.seen[i]!;
        const library = others.has(name) && ownRuntime !== 'bun';
        // Deno's client shuffles its extensions: its JA3 is another one each time.
        const shuffled = ownRuntime === 'deno' && i < handshakes.length;
        if (comparable(own.line, library, shuffled) !== comparable(line, library, shuffled)) {
          differences.push(`${name}: ${own.line} for ${line}`);
        }
        if (own.answer !== answer && !library) differences.push(`${name}: answered ${own.answer} for ${answer}`);
      }
      assert.equal(differences.join('\n'), '');
      // A library that goes further with a broken hello counts other failures.
      if (ownRuntime === 'bun') assert.deepEqual(ours.stats, theirs.stats);
    } finally {
      behind.close();
    }
  });
});

/** Without a reason said twice, and without the reason where it is another library's. */
function comparable(line: string, library: boolean, shuffled: boolean): string {
  const stable = shuffled ? line.replace(/ [0-9a-f]{32} /, ' - ') : line;
  const once = stable.replace(/\|(\d+:[^|]+?)\|\1:TLS_error_end/, '|$1:TLS_error_end');
  return library ? once.replace(/ (?:TLS_error\S*|-)$/, '') : once;
}
