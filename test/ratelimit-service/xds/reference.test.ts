import assert from 'node:assert/strict';
import type { Any } from '@bufbuild/protobuf/wkt';
import { createMessage, decodeMessage, encodeMessage, packAny } from '#gateway/proto/registry.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { type GrpcTestCall, startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts, type RunningProgram, startProgram } from '#test/support/running-program.ts';
import { until } from '#test/support/until.ts';
import { ownService } from '../support/running-service.ts';
import { madeConfig } from '../support/xds-configs.ts';

const configType = 'ratelimit.config.ratelimit.v3.RateLimitConfig';

/** Sets of resources as a management server may send them, one after the other. */
const sets: readonly (readonly [what: string, resources: readonly (Uint8Array | Any)[]])[] = [
  ['a good set', [madeConfig('one', 'd', [{ key: 'a', limit: 2 }])]],
  ['an unknown unit', [madeConfig('bad', 'd', [{ key: 'a', unit: 0, limit: 1 }])]],
  ['a unit that no enum has', [madeConfig('bad', 'd', [{ key: 'a', unit: 9, limit: 1 }])]],
  [
    'every unit',
    [
      madeConfig(
        'units',
        'd',
        [1, 2, 3, 4, 5, 6, 7].map((unit) => ({ key: `k${unit}`, unit, limit: unit })),
      ),
    ],
  ],
  ['no domain', [madeConfig('x', '', [])]],
  ['one domain twice', [madeConfig('x', 'd', []), madeConfig('y', 'd', [])]],
  ['no key', [madeConfig('x', 'd', [{ key: '', value: 'v' }])]],
  ['one key twice', [madeConfig('x', 'd', [{ key: 'a', value: 'b' }, { key: 'a_b' }])]],
  ['unlimited with a unit', [madeConfig('x', 'd', [{ key: 'a', unlimited: true, unit: 1 }])]],
  ['unlimited without a unit', [madeConfig('x', 'd', [{ key: 'a', unlimited: true }])]],
  ['replaces itself', [madeConfig('x', 'd', [{ key: 'a', name: 'n', replaces: ['n'] }])]],
  ['replaces nothing', [madeConfig('x', 'd', [{ key: 'a', name: 'n', replaces: [''] }])]],
  ['another type', [packAny(createMessage('envoy.service.discovery.v3.DiscoveryRequest'))]],
  ['octets that are no message', [{ ...packed(new Uint8Array(0)), value: Uint8Array.of(0x0a, 0x7f) }]],
  [
    'several domains',
    [madeConfig('x', 'd', [{ key: 'a', children: [{ key: 'b', limit: 3 }], bare: true }]), madeConfig('y', 'e', [])],
  ],
  ['nothing', []],
];

function packed(value: Uint8Array): Any {
  return { ...packAny(createMessage(configType)), typeUrl: `type.googleapis.com/${configType}`, value };
}

/** What one client answered to every set. */
interface Client {
  readonly program: RunningProgram;
  readonly answers: string[];
}

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  'the reference service accepts and refuses the same sets',
  async () => {
    const requests = new Map<GrpcTestCall, DiscoveryRequest[]>();
    const server = await startGrpcStreamServer((call, message) => {
      const request = decodeMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', message);
      requests.set(call, [...(requests.get(call) ?? []), request]);
    });
    const redis = await startRedis(findPeer('redis-server')!);
    const clients: Client[] = [];
    try {
      for (const command of [[findPeer('reference-ratelimit')!], ownService()]) {
        clients.push({ program: await startXdsClient(command, server.port, redis.port, clients.length), answers: [] });
      }
      for (const [at, { answers, program }] of clients.entries()) {
        const node = `client-${at}`;
        const call = (): GrpcTestCall | undefined =>
          server.calls.find((each) => requests.get(each)?.[0]?.node?.id === node);
        await program.until(() => call() !== undefined);
        const stream = requests.get(call()!)!;
        assert.deepEqual([stream[0]!.versionInfo, stream[0]!.responseNonce, stream[0]!.resourceNames], ['', '', []]);
        for (const [i, [, resources]] of sets.entries()) {
          call()!.send(response(`v${i}`, `n${i}`, resources));
          await until(() => requests.get(call()!)!.length > i + 1);
          const { versionInfo, responseNonce, errorDetail, typeUrl } = requests.get(call()!)![i + 1]!;
          assert.equal(typeUrl, `type.googleapis.com/${configType}`);
          // The texts of protobuf's own errors are each library's own.
          const text =
            errorDetail === undefined ? 'accepted' : errorDetail.message.replace(/^proto:.*$/s, 'proto: ...');
          answers.push(`${sets[i]![0]}: ${versionInfo} ${responseNonce} ${text}`);
        }
      }
      assert.deepEqual(clients[1]!.answers, clients[0]!.answers);
      assert.equal(clients[1]!.answers.filter((answer) => answer.endsWith('accepted')).length, 5);
    } finally {
      for (const { program } of clients) await program.stop();
      server.close();
      await redis.program.stop();
    }
  },
);

function response(versionInfo: string, nonce: string, resources: readonly (Uint8Array | Any)[]): Uint8Array {
  return encodeMessage(
    createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo,
      nonce,
      typeUrl: `type.googleapis.com/${configType}`,
      resources: resources.map((each) => (each instanceof Uint8Array ? packed(each) : each)),
    }),
  );
}

async function startXdsClient(
  command: readonly string[],
  xds: number,
  redis: number,
  at: number,
): Promise<RunningProgram> {
  const [http = 0, grpc = 0, debug = 0] = await freePorts(3);
  return startProgram(command, {
    CONFIG_TYPE: 'GRPC_XDS_SOTW',
    CONFIG_GRPC_XDS_SERVER_URL: `127.0.0.1:${xds}`,
    CONFIG_GRPC_XDS_NODE_ID: `client-${at}`,
    FORCE_START_WITHOUT_INITIAL_CONFIG: 'true',
    REDIS_SOCKET_TYPE: 'tcp',
    REDIS_URL: `127.0.0.1:${redis}`,
    // Tests share the machine: here it is not the deadline that is tested.
    REDIS_CALL_TIMEOUT: '10s',
    USE_STATSD: 'false',
    DISABLE_STATS: 'true',
    LOG_LEVEL: 'ERROR',
    HOST: '127.0.0.1',
    PORT: String(http),
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(grpc),
    DEBUG_HOST: '127.0.0.1',
    DEBUG_PORT: String(debug),
  });
}
