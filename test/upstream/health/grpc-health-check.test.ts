import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { it } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { Clusters } from '#gateway/upstream/cluster-manager.ts';
import { until } from '#test/support/until.ts';
import { clusterMessage, createUpstreamWorld, http2Options, onPorts } from '#test/support/upstream-world.ts';

interface Asked {
  readonly service: string;
  readonly metadata: grpc.Metadata;
  readonly host: string;
}

/** The standard health service, by grpc-js; `answer` is the response's octets or an error's code. */
async function startHealthService(
  answer: () => Uint8Array | number,
): Promise<{ port: number; asked: Asked[]; close(): void }> {
  const asked: Asked[] = [];
  const server = new grpc.Server();
  const pass = (octets: Buffer): Buffer => octets;
  const path = '/grpc.health.v1.Health/Check';
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  };
  server.addService(
    { Check: method },
    {
      Check(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>): void {
        const service = call.request.length === 0 ? '' : call.request.subarray(2).toString();
        asked.push({ service, metadata: call.metadata, host: call.getHost() });
        const octets = answer();
        if (typeof octets === 'number') done({ code: octets, details: 'no' });
        else done(null, Buffer.from(octets));
      },
    },
  );
  const port = await new Promise<number>((done, failed) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? done(bound) : failed(error),
    ),
  );
  return { port, asked, close: () => server.forceShutdown() };
}

const check = {
  timeout: '5s',
  interval: '0.02s',
  no_traffic_interval: '0.02s',
  unhealthy_threshold: 1,
  healthy_threshold: 1,
  grpc_health_check: {
    service_name: 'svc',
    authority: 'auth.example',
    initial_metadata: [{ header: { key: 'x-m', value: 'v' } }],
  },
};

it('gRPC health checks ask the health service', async (t) => {
  let answer: Uint8Array | number = Uint8Array.of(0x08, 1); // SERVING
  const service = await startHealthService(() => answer);
  t.after(() => service.close());
  const world = createUpstreamWorld([
    {
      name: 'c',
      load_assignment: onPorts(service.port),
      typed_extension_protocol_options: http2Options(),
      health_checks: [check],
    },
  ]);
  t.after(() => world.clusters.close());
  const flags = () => world.clusters.get('c')!.hosts[0]!.healthFlagsText();
  await until(() => flags() === 'healthy');
  const { service: name, metadata, host } = service.asked[0]!;
  assert.deepEqual(
    [name, metadata.get('x-m'), metadata.get('user-agent'), host],
    ['svc', ['v'], ['Envoy/HC'], 'auth.example'],
  );
  answer = Uint8Array.of(0x08, 2); // NOT_SERVING
  await until(() => flags() === '/failed_active_hc');
  answer = Uint8Array.of(0x08, 1);
  await until(() => flags() === 'healthy');
  answer = grpc.status.UNIMPLEMENTED;
  await until(() => flags() === '/failed_active_hc');
  assert.equal(world.context.stat('cluster.c.health_check.network_failure'), 0);
});

it('gRPC health checks need HTTP/2', () => {
  const world = createUpstreamWorld([]);
  const found = new Diagnostics();
  new Clusters(world.services).addStatic(
    [clusterMessage({ name: 'c', load_assignment: onPorts(1), health_checks: [check] })],
    found,
  );
  assert.match(found.errors[0]!.problem, /c cluster must support HTTP\/2 for gRPC healthchecking/);
});
