import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import { createGrpcClient } from '#gateway/upstream/client/create-grpc-client.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import { ScriptedService, textOf } from '#test/support/scripted-service.ts';
import { createUpstreamWorld, onPorts, type UpstreamWorld } from '#test/support/upstream-world.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const inProcess: JsonValue = {
  name: 'sluice.in_process',
  typed_config: { '@type': 'type.googleapis.com/sluice.clusters.in_process.v1.InProcess', service: 'scripted' },
};

interface Setup {
  readonly service: ScriptedService;
  readonly world: UpstreamWorld;
  readonly client: GrpcAsyncClient;
  readonly time: VirtualTime;
  stat(name: string): number;
}

function setUp(cluster: { [field: string]: JsonValue } = {}, maxOctets = 0): Setup {
  const service = new ScriptedService();
  const time = new VirtualTime();
  const world = createUpstreamWorld(
    [{ name: 'own', cluster_type: inProcess, ...cluster }],
    { clock: time, timers: time.timers },
    { inProcess: { create: () => service } },
  );
  const value = { clusterName: 'own', ...(maxOctets > 0 ? { maxReceiveMessageLength: maxOctets } : {}) };
  const config = createMessage<GrpcService>('envoy.config.core.v3.GrpcService', {
    targetSpecifier: { case: 'envoyGrpc', value },
  });
  const client = createGrpcClient(config, world.clusters, world.context.timers, false, new Diagnostics());
  return { service, world, client, time, stat: (name) => world.context.stat(`cluster.own.${name}`) };
}

interface Asked {
  outcome: string | null;
  readonly call: Cancellable | null;
}

function ask({ client }: Setup, method: string, text: string, timeoutMs = 1000): Asked {
  const asked: { outcome: string | null; call: Cancellable | null } = { outcome: null, call: null };
  asked.call = client.unary(`/test.Scripted/${method}`, Buffer.from(text), timeoutMs, null, {
    onSuccess(message) {
      asked.outcome = `ok ${textOf(message)}`;
    },
    onFailure(status, message) {
      asked.outcome = `${status} ${message}`;
    },
  });
  return asked;
}

describe('cluster of type sluice.in_process', () => {
  it('starts and ends its service, and has it as its one host', () => {
    const { service, world, stat } = setUp();
    assert.deepEqual([service.started, service.closed], [1, 0]);
    assert.equal(world.clusters.get('own')!.hosts[0]!.address.text, 'sluice.in_process/scripted');
    assert.deepEqual([stat('membership_total'), stat('membership_healthy')], [1, 1]);
    world.clusters.close();
    assert.equal(service.closed, 1);
  });

  it('answers within the call, with the statistics of a call over a connection', () => {
    const setup = setUp();
    const asked = ask(setup, 'Echo', 'one');
    assert.deepEqual([asked.outcome, asked.call], ['ok one', null]);
    const { stat } = setup;
    assert.deepEqual([stat('upstream_rq_total'), stat('upstream_rq_active')], [1, 0]);
    assert.deepEqual([stat('internal.upstream_rq_200'), stat('upstream_rq_completed')], [1, 1]);
    assert.equal(stat('upstream_cx_total'), 0);
  });

  it('tells errors of the service: of gRPC with a 200, that it is not there with a 503', () => {
    const setup = setUp();
    assert.equal(ask(setup, 'Fail', 'x').outcome, '7 not for you');
    assert.equal(setup.stat('internal.upstream_rq_200'), 1);
    assert.equal(ask(setup, 'Gone', 'x').outcome, '14 not here');
    assert.equal(setup.stat('internal.upstream_rq_503'), 1);
    const { stats } = setup.world.clusters.get('own')!.hosts[0]!;
    assert.deepEqual([stats.rqSuccess.value, stats.rqError.value], [1, 1]);
  });

  it('ends a call that hangs at its deadline, and hears nothing that comes later', () => {
    const setup = setUp();
    const asked = ask(setup, 'Hang', 'x', 100);
    assert.notEqual(asked.call, null);
    assert.equal(setup.stat('upstream_rq_active'), 1);
    setup.time.advance(120);
    assert.equal(asked.outcome, '4 deadline exceeded');
    assert.deepEqual([setup.stat('upstream_rq_timeout'), setup.stat('upstream_rq_active')], [1, 0]);
    setup.service.release();
    assert.equal(asked.outcome, '4 deadline exceeded');
  });

  it('answers later, and forgets a call that was cancelled', () => {
    const setup = setUp();
    const [kept, left] = [ask(setup, 'Hang', 'a'), ask(setup, 'Hang', 'b')];
    left.call!.cancel();
    setup.service.release();
    assert.deepEqual([kept.outcome, left.outcome], ['ok a', null]);
    assert.equal(setup.stat('upstream_rq_active'), 0);
    setup.time.advance(2000);
    assert.equal(kept.outcome, 'ok a');
    assert.equal(setup.stat('upstream_rq_timeout'), 0);
  });

  it('keeps to the circuit breaker', () => {
    const setup = setUp({ circuit_breakers: { thresholds: [{ max_requests: 1 }] } });
    const first = ask(setup, 'Hang', 'a');
    assert.equal(ask(setup, 'Echo', 'b').outcome, '14 overflow');
    assert.equal(setup.stat('upstream_rq_pending_overflow'), 1);
    setup.service.release();
    assert.equal(first.outcome, 'ok a');
    assert.equal(ask(setup, 'Echo', 'c').outcome, 'ok c');
  });

  it('refuses an answer that is larger than the client takes', () => {
    const setup = setUp({}, 4);
    assert.equal(ask(setup, 'Echo', '1234').outcome, 'ok 1234');
    assert.equal(ask(setup, 'Echo', '12345').outcome, '8 the message is too large');
  });

  it('refuses streams to a service that is not there as a connection that cannot be made', () => {
    const setup = setUp();
    setup.service.absence = 'not yet';
    let closed = '';
    setup.client.stream('/test.Scripted/Chat', null, {
      onMessage: () => {},
      onClose(status, message) {
        closed = `${status} ${message}`;
      },
    });
    assert.equal(closed, '14 remote_connection_failure: not yet');
    assert.deepEqual([setup.stat('internal.upstream_rq_503'), setup.stat('upstream_rq_active')], [1, 0]);
  });

  it('carries streams', async () => {
    const setup = setUp();
    const got: string[] = [];
    const closed = await new Promise<string>((done) => {
      const stream = setup.client.stream('/test.Scripted/Chat', null, {
        onMessage(message) {
          got.push(textOf(message));
          if (got.length === 2) stream.endWrite();
        },
        onClose: (status, message) => done(`${status} ${message}`),
      });
      stream.send(Buffer.from('a'));
      stream.send(Buffer.from('b'));
    });
    assert.deepEqual([got, closed], [['a', 'b'], '0 ']);
    assert.deepEqual(setup.service.events, ['POST /test.Scripted/Chat false']);
    assert.deepEqual([setup.stat('upstream_rq_total'), setup.stat('upstream_rq_active')], [1, 0]);
    assert.equal(setup.stat('internal.upstream_rq_200'), 1);
  });

  it('refuses what would need a connection, and a configuration without its message', () => {
    const unused = { inProcess: { create: () => new ScriptedService() } };
    const refuse = (cluster: { [field: string]: JsonValue }, why: RegExp): void => {
      assert.throws(() => createUpstreamWorld([{ name: 'own', ...cluster }], {}, unused), why);
    };
    refuse(
      { cluster_type: inProcess, load_assignment: onPorts(1) },
      /load_assignment: a cluster of type sluice.in_process has none/,
    );
    const check = { timeout: '1s', interval: '1s', http_health_check: { path: '/' } };
    refuse({ cluster_type: inProcess, health_checks: [check] }, /health_checks: a service in this process has no conn/);
    refuse({ cluster_type: inProcess, outlier_detection: {} }, /outlier_detection: .* has one host/);
    refuse(
      { cluster_type: { name: 'sluice.in_process' } },
      /cluster_type.typed_config: a sluice.clusters.in_process.v1.InProcess is needed/,
    );
    assert.throws(
      () => createUpstreamWorld([{ name: 'own', cluster_type: inProcess }]),
      /cluster_type.typed_config.service: no service can run in this process/,
    );
  });
});
