import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import type { Connection } from '#gateway/api/connection.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import type { RateLimitRule } from '#gateway/api/route.ts';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import { type Address, pipeAddress } from '#gateway/base/address.ts';
import { rateLimitExtension } from '#gateway/extensions/http/ratelimit/rate-limit-extension.ts';
import { SocketConnection } from '#gateway/network/socket-connection.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { RequestDecoder } from '#gateway/protocol/codec.ts';
import { connectSocket } from '#gateway/runtime/sockets.ts';
import { createClients } from '#gateway/server/own-clients.ts';
import type { RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { startH2TestServer } from '#test/support/h2-test-server.ts';
import { type FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import { createUpstreamWorld, http2Options, onPorts, type UpstreamWorld } from '#test/support/upstream-world.ts';

const same = (octets: Buffer): Buffer => octets;
const definition: grpc.ServiceDefinition = {
  shouldRateLimit: {
    path: '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};
const answering = messageSchema<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse');
const fine = Buffer.from(
  toBinary(answering, fromJson(answering, { overall_code: 'OK' }, { registry: protoRegistry() })),
);

/** A stream that never answers. */
const deaf: RequestDecoder = {
  decodeHeaders(): void {},
  decodeData(): void {},
  decodeTrailers(): void {},
  onBadRequest(): void {},
  onResetStream(): void {},
  onAboveWriteBufferHighWatermark(): void {},
  onBelowWriteBufferLowWatermark(): void {},
};

/** What a service does with its calls, one after the other; the last goes on. */
type Manner = 'ok' | 'unavailable';

interface Service {
  readonly port: number;
  calls: number;
}

async function startService(t: TestContext, ...manners: readonly Manner[]): Promise<Service> {
  const server = new grpc.Server();
  const service = { port: 0, calls: 0 };
  server.addService(definition, {
    shouldRateLimit(_call: unknown, done: grpc.sendUnaryData<Buffer>) {
      const manner = manners[Math.min(service.calls++, manners.length - 1)];
      if (manner === 'ok') done(null, fine);
      else if (manner === 'unavailable') done({ code: grpc.status.UNAVAILABLE, details: 'not now' });
    },
  });
  service.port = await new Promise<number>((done, fail) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? done(bound) : fail(error),
    ),
  );
  t.after(() => server.forceShutdown());
  return service;
}

/** Plain connections whose writes are counted. */
class CountedConnections implements UpstreamTransportSocketFactory {
  readonly secure = false;
  readonly ready = true;
  writes = 0;
  world: UpstreamWorld | null = null;

  connect(address: Address): Connection {
    const socket = connectSocket({ address, bindAddress: null }, () => connection.established());
    const write = socket.write.bind(socket);
    socket.write = (chunk, done) => {
      this.writes++;
      return done === undefined ? write(chunk) : write(chunk, done);
    };
    const info = new ConnectionInfo(1, pipeAddress(''), address, 0);
    const { timers } = this.world!.context;
    const connection: SocketConnection = new SocketConnection(socket, info, {
      timers,
      secure: false,
      connecting: true,
    });
    return connection;
  }
}

const rule: RateLimitRule = {
  stage: 0,
  disableKey: '',
  applyOnStreamDone: false,
  xRateLimitHeaders: null,
  descriptor: () => ({ entries: [{ key: 'k', value: 'v' }], limit: null, hitsAddend: null }),
};

/** A filter whose service is a real cluster. */
class Limited {
  readonly connections: CountedConnections = new CountedConnections();
  readonly world: UpstreamWorld;
  readonly #harness: FilterHarness;

  constructor(
    t: TestContext,
    ports: readonly number[],
    cluster: { readonly [field: string]: JsonValue } = {},
    grpcService: { readonly [field: string]: JsonValue } = {},
    timeout = '5s',
  ) {
    const limits = {
      name: 'limits',
      load_assignment: onPorts(...ports),
      typed_extension_protocol_options: http2Options(),
    };
    this.world = createUpstreamWorld(
      [{ name: 'backend' }, { ...limits, ...cluster }],
      {},
      {
        createTransportSocket: () => this.connections,
      },
    );
    this.connections.world = this.world;
    t.after(() => this.world.clusters.close());
    const { context, clusters } = this.world;
    const { grpcClient } = createClients(context, clusters, { get: () => null } as never);
    const service = { envoy_grpc: { cluster_name: 'limits' }, ...grpcService };
    const json = {
      domain: 'd',
      timeout,
      failure_mode_deny: true,
      rate_limit_service: { transport_api_version: 'V3', grpc_service: service },
    };
    this.#harness = new FilterHarness(rateLimitExtension, json, { ...context, grpcClient });
    assert.deepEqual(this.#harness.problems, []);
  }

  /** Begins a request. */
  begin(): FilterStream {
    const stream = this.#harness.stream();
    stream.route = routeTo('backend', { rateLimits: [rule] });
    stream.clusterInfo = this.world.clusters.get('backend')!.info;
    stream.request(requestHead('GET', '/'));
    return stream;
  }

  /** One request; its answer, or `on` when it went on. */
  async ask(): Promise<string> {
    const stream = this.begin();
    await stream.until(() => stream.continued > 0 || stream.ended);
    return stream.continued > 0 ? 'on' : stream.events[0]!;
  }

  stat(name: string): number {
    return this.world.context.stat(`cluster.limits.${name}`);
  }
}

const refused = 'reply 500 rate_limiter_error';

describe('ratelimit: the cluster of the service', () => {
  it('calls of one event-loop turn share a write', async (t) => {
    const service = await startService(t, 'ok');
    const limited = new Limited(t, [service.port]);
    for (let i = 0; i < 3; i++) assert.equal(await limited.ask(), 'on'); // connected, settings acknowledged
    await new Promise((done) => setImmediate(done));
    limited.connections.writes = 0;
    const streams = Array.from({ length: 20 }, () => limited.begin());
    assert.equal(limited.connections.writes, 0);
    await new Promise((done) => setImmediate(done));
    assert.equal(limited.connections.writes, 1);
    await Promise.all(streams.map((stream) => stream.until(() => stream.continued > 0)));
    assert.equal(service.calls, 23);
    assert.equal(limited.stat('upstream_cx_total'), 1);
  });

  it('a call ends at its deadline, and only the call', async (t) => {
    const server = await startH2TestServer(null, {}, () => deaf);
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    t.after(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const limited = new Limited(t, [(server.address() as AddressInfo).port], {}, {}, '0.3s');
    assert.equal(await limited.ask(), refused);
    assert.equal(await limited.ask(), refused);
    assert.equal(limited.stat('upstream_rq_timeout'), 2);
    assert.equal(limited.stat('upstream_rq_active'), 0);
    assert.equal(limited.stat('upstream_cx_total'), 1);
    assert.equal(limited.world.context.stat('cluster.backend.ratelimit.error'), 2);
  });

  it('a failed call is tried again as the retry policy says, elsewhere', async (t) => {
    const failing = await startService(t, 'unavailable');
    const working = await startService(t, 'ok');
    const policy = {
      retry_on: 'unavailable',
      num_retries: 1,
      retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
    };
    const limited = new Limited(t, [failing.port, working.port], {}, { retry_policy: policy });
    const answers: string[] = [];
    for (let i = 0; i < 6; i++) answers.push(await limited.ask());
    assert.deepEqual(new Set(answers), new Set(['on']));
    assert.equal(working.calls, 6);
    assert.ok(failing.calls >= 2);
    const alone = new Limited(t, [failing.port, working.port]);
    const without = new Set([await alone.ask(), await alone.ask()]);
    assert.deepEqual(without, new Set(['on', refused]));
  });

  it('outlier detection takes a member that fails out', async (t) => {
    const failing = await startService(t, 'unavailable');
    const working = await startService(t, 'ok');
    const limited = new Limited(t, [failing.port, working.port], {
      outlier_detection: { consecutive_5xx: 3, base_ejection_time: '300s', max_ejection_percent: 50 },
    });
    const answers: string[] = [];
    for (let i = 0; i < 16; i++) answers.push(await limited.ask());
    assert.equal(failing.calls, 3);
    assert.equal(answers.filter((answer) => answer === refused).length, 3);
    assert.deepEqual(new Set(answers.slice(-8)), new Set(['on']));
    assert.equal(limited.stat('outlier_detection.ejections_active'), 1);
  });
});
