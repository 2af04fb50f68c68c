import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import { createGrpcClient } from '#gateway/upstream/client/create-grpc-client.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import {
  closedPort,
  createUpstreamWorld,
  http2Options,
  onPorts,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';

const raw = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
const service: grpc.ServiceDefinition = {
  echo: { path: '/test.Echo/Echo', requestStream: false, responseStream: false, ...raw },
  fail: { path: '/test.Echo/Fail', requestStream: false, responseStream: false, ...raw },
  hang: { path: '/test.Echo/Hang', requestStream: false, responseStream: false, ...raw },
  chat: { path: '/test.Echo/Chat', requestStream: true, responseStream: true, ...raw },
};

function same(octets: Buffer): Buffer {
  return octets;
}

async function startServer(): Promise<{ port: number; server: grpc.Server; metadata: grpc.Metadata[] }> {
  const server = new grpc.Server();
  const metadata: grpc.Metadata[] = [];
  server.addService(service, {
    echo(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      metadata.push(call.metadata);
      done(null, call.request);
    },
    fail(_call: unknown, done: grpc.sendUnaryData<Buffer>) {
      done({ code: grpc.status.PERMISSION_DENIED, details: 'not für you' });
    },
    hang() {},
    chat(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (message: Buffer) => call.write(Buffer.concat([Buffer.from('re:'), message])));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((done, fail) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? done(bound) : fail(error),
    ),
  );
  return { port, server, metadata };
}

function clientOf(world: UpstreamWorld, clusterName: string): GrpcAsyncClient {
  const config = createMessage<GrpcService>('envoy.config.core.v3.GrpcService', {
    targetSpecifier: { case: 'envoyGrpc', value: { clusterName } },
    initialMetadata: [{ key: 'X-Id', value: '7' }],
  });
  return createGrpcClient(config, world.clusters, world.context.timers, false, new Diagnostics());
}

function call(client: GrpcAsyncClient, method: string, text: string, timeoutMs = 5000): Promise<string> {
  return new Promise((done) => {
    client.unary(`/test.Echo/${method}`, Buffer.from(text), timeoutMs, null, {
      onSuccess: (message) => done(`ok ${Buffer.from(message).toString()}`),
      onFailure: (status, message) => done(`${status} ${message}`),
    });
  });
}

describe('gRPC client', () => {
  it('makes unary calls on one connection, and tells failures and deadlines', async (t) => {
    const { port, server, metadata } = await startServer();
    t.after(() => server.forceShutdown());
    const world = createUpstreamWorld([
      { name: 'g', load_assignment: onPorts(port), typed_extension_protocol_options: http2Options() },
      {
        name: 'closed',
        load_assignment: onPorts(await closedPort()),
        typed_extension_protocol_options: http2Options(),
      },
    ]);
    t.after(() => world.clusters.close());
    const client = clientOf(world, 'g');
    const answers = await Promise.all([
      call(client, 'Echo', 'one'),
      call(client, 'Echo', 'two'),
      call(client, 'Echo', ''),
    ]);
    assert.deepEqual(answers, ['ok one', 'ok two', 'ok ']);
    assert.deepEqual(metadata[0]!.get('x-id'), ['7']);
    assert.equal(await call(client, 'Fail', 'x'), '7 not für you');
    assert.equal(await call(client, 'Nowhere', 'x').then((text) => text.slice(0, 3)), '12 ');
    assert.match(await call(client, 'Hang', 'x', 40), /^4 /); // the server knows the deadline too
    const { context } = world;
    assert.equal(context.stat('cluster.g.upstream_cx_total'), 1);
    assert.equal(context.stat('cluster.g.upstream_cx_http2_total'), 1);
    assert.equal(context.stat('cluster.g.upstream_rq_total'), 6);
    assert.equal(context.stat('cluster.g.upstream_rq_active'), 0);
    assert.ok(context.stat('cluster.g.internal.upstream_rq_200') >= 5);
    assert.match(await call(clientOf(world, 'closed'), 'Echo', 'x'), /^14 remote_connection_failure/);
    assert.equal(await call(clientOf(world, 'nobody'), 'Echo', 'x'), '14 Cluster not available');
  });

  it('carries streams both ways', async (t) => {
    const { port, server } = await startServer();
    t.after(() => server.forceShutdown());
    const world = createUpstreamWorld([
      { name: 'g', load_assignment: onPorts(port), typed_extension_protocol_options: http2Options() },
    ]);
    t.after(() => world.clusters.close());
    const got: string[] = [];
    const closed = await new Promise<string>((done) => {
      const stream = clientOf(world, 'g').stream('/test.Echo/Chat', null, {
        onMessage(message) {
          got.push(Buffer.from(message).toString());
          if (got.length === 2) stream.endWrite();
        },
        onClose: (status, message) => done(`${status} ${message}`),
      });
      stream.send(Buffer.from('a'));
      stream.send(Buffer.from('b'.repeat(100_000)));
    });
    assert.equal(got[0], 're:a');
    assert.equal(got[1]!.length, 100_003);
    assert.equal(closed.slice(0, 1), '0');
  });
});
