import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as Grpc from '@grpc/grpc-js';
import { LogRegistry } from '#gateway/base/log.ts';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { readSettings } from '#ratelimit/config/settings.ts';
import type { XdsSettings } from '#ratelimit/config/settings-xds.ts';
import { AdsClient } from '#ratelimit/xds/ads-client.ts';
import type { GrpcModule } from '#ratelimit/xds/ads-stream.ts';
import { ReconnectBackoff } from '#ratelimit/xds/reconnect-backoff.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

/** Decides what is answered to a request: a version, or null for nothing. */
type Server = (request: DiscoveryRequest) => string | null;

/** A client of a server that answers within the call, in virtual time. Versions with `bad` in them are refused. */
class Bench {
  readonly time: VirtualTime = new VirtualTime();
  /** `version nonce`, and `!` for a refusal. */
  readonly requests: string[] = [];
  readonly client: AdsClient;
  #server: Server;
  #nonce = 0;
  #inForce = '';
  #received: (message: Uint8Array) => void = () => {};

  constructor(server: Server) {
    this.#server = server;
    const settings: XdsSettings = readSettings({ BACKEND_TYPE: 'memory', CONFIG_TYPE: 'GRPC_XDS_SOTW' });
    const backoff = new ReconnectBackoff({ initialMs: 1000, maxMs: 1000, factor: 1, jitter: false }, {
      next: () => 0,
    } as never);
    const world = { timers: this.time.timers, log: new LogRegistry({ write: () => {} }).get('xds') };
    this.client = new AdsClient(this.#fakeGrpc(), settings, backoff, world, () => {
      const good = !this.#inForce.includes('bad');
      return good ? null : 'no good';
    });
    this.client.start();
  }

  /** The server sends this by itself. */
  push(version: string): void {
    this.#inForce = version;
    const response = { versionInfo: version, nonce: `${++this.#nonce}`, resources: [] };
    this.#received(
      encodeMessage(createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', response)),
    );
  }

  serve(server: Server): void {
    this.#server = server;
  }

  #onRequest(message: Uint8Array): void {
    const request = decodeMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', message);
    const { versionInfo, responseNonce, errorDetail } = request;
    this.requests.push(`${versionInfo} ${responseNonce}${errorDetail === undefined ? '' : ' !'}`);
    if (this.requests.length > 10_000) throw new Error('a loop without end');
    const version = this.#server(request);
    if (version !== null) this.push(version);
  }

  /** What the client needs of the library: one stream. */
  #fakeGrpc(): GrpcModule {
    const bench = this;
    class Client {
      makeBidiStreamRequest(): unknown {
        return {
          on: (event: string, heed: (message: Uint8Array) => void) => {
            if (event === 'data') bench.#received = heed;
          },
          write: (message: Uint8Array) => queueMicrotask(() => bench.#onRequest(message)),
          cancel: () => {},
        };
      }
      close(): void {}
    }
    class Metadata {
      add(): void {}
    }
    const credentials = { createInsecure: () => ({}) };
    return { Client, Metadata, credentials } as unknown as typeof Grpc;
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve();
}

/** As go-control-plane: whoever names another version than the newest is sent that, the others wait. */
function newest(version: string): Server {
  return ({ versionInfo }) => (versionInfo === version ? null : version);
}

test('a server that knows versions only: a refused set is refused twice, and the next one comes when there is one', async () => {
  const bench = new Bench(newest('v1'));
  await settled();
  assert.deepEqual(bench.requests, [' ', 'v1 1']);
  bench.serve(newest('bad2'));
  bench.push('bad2');
  await settled();
  assert.deepEqual(bench.requests.splice(2), ['v1 2 !', 'bad2 3 !']);
  bench.time.advance(60_000);
  await settled();
  assert.deepEqual(bench.requests.splice(2), [], 'it waits, and is not asked');
  bench.serve(newest('v3'));
  bench.push('v3');
  await settled();
  assert.deepEqual(bench.requests.splice(2), ['v3 4'], 'in force at once');
});

test('a server that heeds refusals is told the version in force', async () => {
  const bench = new Bench(() => null);
  await settled();
  for (const version of ['v1', 'bad2', 'bad3', 'v4', 'bad4']) {
    bench.push(version);
    await settled();
  }
  assert.deepEqual(bench.requests, [' ', 'v1 1', 'v1 2 !', 'v1 3 !', 'v4 4', 'v4 5 !']);
});

for (const [name, version] of [
  ['sends a refused set for ever', (): string => 'bad'],
  ['gives it a new version each time', (request: DiscoveryRequest): string => `bad${request.responseNonce}`],
] as const) {
  test(`a server that ${name} is slowed down`, async () => {
    const bench = new Bench(version);
    await settled();
    assert.equal(bench.requests.length, 7, 'six refusals at once');
    for (let i = 0; i < 600; i++) {
      bench.time.advance(100);
      await settled();
    }
    const inMinute = bench.requests.length - 7;
    assert.ok(inMinute >= 12 && inMinute <= 18, `${inMinute} in a minute`);
    // It comes to its senses, and what is wrong later is refused at once again.
    bench.serve(() => null);
    bench.push('v1');
    await settled();
    bench.push('bad1');
    await settled();
    assert.match(bench.requests.at(-2)!, /^v1 \d+$/);
    assert.match(bench.requests.at(-1)!, /^v1 \d+ !$/);
  });
}
