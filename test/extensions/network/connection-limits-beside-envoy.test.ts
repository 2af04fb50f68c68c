import assert from 'node:assert/strict';
import net from 'node:net';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { decodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { besideEnvoy, logLines } from '#test/support/beside-envoy.ts';
import { staticCluster } from '#test/support/bootstrap.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { peerTest } from '#test/support/peers.ts';

const asking = messageSchema<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest');
const answering = messageSchema<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse');
const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.${name}`;
const registry = protoRegistry();

function listener(name: string, filterType: string, fields: string): string {
  const log = `access_log: [ { name: l, typed_config: { ${type('access_loggers.file.v3.FileAccessLog')}, path: "{dir}/${name}", log_format: { text_format_source: { inline_string: "%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %BYTES_SENT% %DYNAMIC_METADATA(envoy.filters.network.ratelimit)%\\n" } } } } ]`;
  const limit = `{ name: limit, typed_config: { ${type(`filters.network.${filterType}`)}, ${fields} } }`;
  const proxy = `{ name: t, typed_config: { ${type('filters.network.tcp_proxy.v3.TcpProxy')}, stat_prefix: t, cluster: behind } }`;
  return `{ name: ${name}, address: { socket_address: { address: 127.0.0.1, port_value: 0 } }, ${log}, filter_chains: [ { filters: [ ${limit}, ${proxy} ] } ] }`;
}

const local = (name: string, fields: string): string =>
  listener(name, 'local_ratelimit.v3.LocalRateLimit', `stat_prefix: ${name}, ${fields}`);
const limited = (name: string, fields: string): string =>
  listener(name, 'connection_limit.v3.ConnectionLimit', `stat_prefix: ${name}, ${fields}`);
const asked = (name: string, fields: string): string =>
  listener(
    name,
    'ratelimit.v3.RateLimit',
    `stat_prefix: ${name}, domain: net, timeout: 10s, ${fields} descriptors: [ { entries: [ { key: what, value: ${name} }, { key: from, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } ], limit: { requests_per_unit: 3, unit: HOUR }, hits_addend: 4 } ], rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limits } } }`,
  );

const bucket = 'token_bucket: { max_tokens: 2, fill_interval: 600s }';
const off = 'runtime_enabled: { default_value: false, runtime_key: some.key }';
const listeners = [
  local('two', bucket),
  local('free', `${bucket}, ${off}`),
  local('shared_a', `${bucket}, share_key: k`),
  local('shared_b', `${bucket}, share_key: k`),
  limited('one', 'max_connections: 1'),
  limited('later', 'max_connections: 1, delay: 0.2s'),
  limited('open', `max_connections: 1, ${off}`),
  asked('fine', ''),
  asked('over', ''),
  asked('broken', ''),
  asked('denied', 'failure_mode_deny: true,'),
];

const answers: { readonly [what: string]: JsonValue } = {
  fine: { overall_code: 'OK', dynamic_metadata: { tier: 'gold' } },
  over: { overall_code: 'OVER_LIMIT' },
};

/** Connects and sends a line: a connection that was answered, or null when it was closed without. */
function connect(port: number): Promise<net.Socket | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write('hello'));
    socket.on('error', () => {});
    socket.on('data', () => resolve(socket));
    socket.on('close', () => resolve(null));
  });
}

async function drive(gateway: GatewayProcess): Promise<unknown> {
  const seen: { [what: string]: unknown } = {};
  const sockets: net.Socket[] = [];
  const tries = async (name: string, times: number): Promise<void> => {
    const answered: boolean[] = [];
    for (let i = 0; i < times; i++) {
      const socket = await connect(gateway.port(name));
      answered.push(socket !== null);
      if (socket !== null) sockets.push(socket);
    }
    seen[name] = [...((seen[name] as boolean[] | undefined) ?? []), ...answered];
  };
  for (const name of ['two', 'free', 'one', 'later', 'open']) await tries(name, 3);
  for (const name of ['shared_a', 'shared_b', 'shared_b']) await tries(name, 1);
  for (const name of ['fine', 'over', 'broken', 'denied']) await tries(name, 1);
  const stats = async (): Promise<string[]> => {
    const { text } = await gateway.admin('/stats?filter=^(local_rate_limit|connection_limit|ratelimit)\\.');
    return text.trim().split('\n').sort();
  };
  seen['stats'] = await stats();
  for (const socket of sockets) socket.destroy();
  for (let i = 0; i < 80 && (await stats()).some((line) => /active.*: [1-9]/.test(line)); i++) await delay(25);
  // Envoy's gauge of a filter that is switched off falls below zero.
  seen['after'] = (await stats()).filter((line) => line.includes('active') && !line.includes('.open.'));
  for (const name of ['two', 'one', 'later', 'over', 'denied'])
    seen[`${name} log`] = (await logLines(gateway, name, 1))[0];
  for (const socket of sockets) socket.destroy();
  return seen;
}

describe('limits of connections beside Envoy', () => {
  peerTest('envoy', 'local_ratelimit, connection_limit and ratelimit do and count the same', async (envoy) => {
    let requests: unknown[] = [];
    const limits = await startGrpcStreamServer((call, message) => {
      const request = decodeMessage<RateLimitRequest>(asking.typeName, message);
      requests.push(toJson(asking, request, { registry }));
      const answer = answers[request.descriptors[0]!.entries[0]!.value];
      call.send(
        answer === undefined ? Uint8Array.of(0xff) : toBinary(answering, fromJson(answering, answer, { registry })),
      );
    });
    const upstream = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => socket.write(chunk));
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as net.AddressInfo;
    const clusters = [staticCluster('behind', [port]), staticCluster('limits', [limits.port], { http2: true })];
    const config = `static_resources: { listeners: [ ${listeners.join(', ')} ], clusters: [ ${clusters.join(', ')} ] }\n`;
    try {
      const { theirs, ours } = await besideEnvoy(envoy, config, {}, async (gateway) => {
        requests = [];
        const seen = await drive(gateway);
        return { seen, requests };
      });
      assert.deepEqual(ours, theirs);
    } finally {
      upstream.close();
      limits.close();
    }
  });
});
