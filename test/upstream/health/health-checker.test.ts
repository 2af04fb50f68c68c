import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { readHealthCheck } from '#gateway/upstream/health/health-check-config.ts';
import { HealthChecker } from '#gateway/upstream/health/health-checker.ts';
import type { ProbeListener, ProbeResult } from '#gateway/upstream/health/probe.ts';
import type { UpstreamHost } from '#gateway/upstream/host.ts';
import { startH2Upstream } from '#test/support/h2-upstream.ts';
import { until } from '#test/support/until.ts';
import {
  closedPort,
  clusterMessage,
  createUpstreamWorld,
  http2Options,
  onPorts,
  response,
  startScriptedUpstream,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const times = {
  timeout: '10s',
  interval: '0.02s',
  no_traffic_interval: '0.02s',
  unhealthy_threshold: 2,
  healthy_threshold: 1,
};

function checked(
  check: { [key: string]: JsonValue },
  ports: readonly number[],
  rest: { [key: string]: JsonValue } = {},
): UpstreamWorld {
  const config = { name: 'c', load_assignment: onPorts(...ports), health_checks: [{ ...times, ...check }], ...rest };
  return createUpstreamWorld([config]);
}

const flagsOf = (world: UpstreamWorld): string[] =>
  world.clusters.get('c')!.hosts.map((host) => host.healthFlagsText());

describe('active HTTP health checks', () => {
  it('hold hosts back until they have answered, and follow their answers', async (t) => {
    let status = 200;
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(status, 'ok')));
    t.after(() => upstream.close());
    const world = checked({ http_health_check: { path: '/healthz', host: 'check.test' } }, [upstream.port]);
    t.after(() => world.clusters.close());
    assert.deepEqual(flagsOf(world), ['/failed_active_hc']);
    const cluster = world.clusters.get('c')!;
    assert.equal(cluster.initialized, false);
    await until(() => cluster.initialized);
    assert.deepEqual(flagsOf(world), ['healthy']);
    assert.match(upstream.heads[0]!, /^GET \/healthz HTTP\/1.1\r\nhost: check.test\r\nuser-agent: Envoy\/HC/);
    status = 500; // an answer that says no counts at once
    await until(() => flagsOf(world)[0] === '/failed_active_hc');
    status = 200;
    await until(() => flagsOf(world)[0] === 'healthy');
    assert.equal(upstream.connections, 1);
    assert.ok(world.context.stat('cluster.c.health_check.success') >= 2);
    assert.equal(world.context.stat('cluster.c.membership_healthy'), 1);
  });

  it('look into the body and at the list of statuses', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(299, 'all is well')));
    t.after(() => upstream.close());
    const http = {
      path: '/',
      expected_statuses: [{ start: '290', end: '300' }],
      receive: [{ text: Buffer.from('well').toString('hex') }],
    };
    const world = checked({ http_health_check: http }, [upstream.port]);
    t.after(() => world.clusters.close());
    await until(() => world.clusters.get('c')!.initialized);
    assert.deepEqual(flagsOf(world), ['healthy']);
  });

  it('speak HTTP/2 when told to', async (t) => {
    const upstream = await startH2Upstream({ maxConcurrentStreams: 10, hold: false });
    t.after(() => upstream.close());
    const check = { http_health_check: { path: '/', codec_client_type: 'HTTP2' } };
    const world = checked(check, [upstream.port], { typed_extension_protocol_options: http2Options() });
    t.after(() => world.clusters.close());
    await until(() => world.clusters.get('c')!.initialized);
    assert.deepEqual(flagsOf(world), ['healthy']);
  });

  it('fail hosts that do not listen', async (t) => {
    const world = checked({ http_health_check: { path: '/' } }, [await closedPort()]);
    t.after(() => world.clusters.close());
    await until(() => world.clusters.get('c')!.initialized);
    assert.deepEqual(flagsOf(world), ['/failed_active_hc']);
    assert.ok(world.context.stat('cluster.c.health_check.network_failure') > 0);
  });
});

describe('active TCP health checks', () => {
  it('send and expect octets', async (t) => {
    const upstream = await startScriptedUpstream(() => {});
    t.after(() => upstream.close());
    const net = await import('node:net');
    const server = net.createServer((socket) => {
      socket.on('error', () => {}); // the check is over when it has seen enough, and may end with a RST
      socket.on('data', (data) => socket.write(`re ${data.toString()}`));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => server.close());
    const hex = (text: string): string => Buffer.from(text).toString('hex');
    const tcp = { send: { text: hex('ping') }, receive: [{ text: hex('re') }, { text: hex('ping') }] };
    const world = checked({ tcp_health_check: tcp }, [(server.address() as { port: number }).port]);
    t.after(() => world.clusters.close());
    await until(() => world.clusters.get('c')!.initialized);
    assert.deepEqual(flagsOf(world), ['healthy']);
    const open = checked({ tcp_health_check: {} }, [upstream.port]);
    t.after(() => open.clusters.close());
    await until(() => open.clusters.get('c')!.initialized);
    assert.deepEqual(flagsOf(open), ['healthy']);
  });
});

describe('health check thresholds', () => {
  it('count silence, and need as many successes to come back', () => {
    const time = new VirtualTime();
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(1) }], {
      clock: time,
      timers: time.timers,
    });
    const cluster = world.clusters.get('c')!;
    const [host] = cluster.hosts as [UpstreamHost];
    const message = clusterMessage({
      name: 'c',
      health_checks: [
        {
          timeout: '1s',
          interval: '10s',
          unhealthy_threshold: 3,
          healthy_threshold: 2,
          unhealthy_interval: '5s',
          tcp_health_check: {},
        },
      ],
    });
    const config = readHealthCheck(message.healthChecks[0]!, new Diagnostics())!;
    let result: ProbeResult | 'silence' = 'success';
    let checks = 0;
    const makeProbe = (_config: unknown, _host: unknown, listener: ProbeListener) => ({
      start(): void {
        checks++;
        if (result !== 'silence') listener.onProbeResult(result);
      },
      abort(): void {},
      close(): void {},
    });
    const owner = { refreshHealth: () => cluster.refreshHealth(), onFirstChecksDone(): void {}, hadTraffic: true };
    const checker = new HealthChecker(config, owner, makeProbe, world.context, world.context.stats.scope('cluster.c'));
    checker.addHost(host);
    assert.equal(host.health, 'unhealthy');
    time.advance(10);
    assert.equal(host.health, 'healthy'); // the first success is enough
    result = 'silence';
    time.advance(10_000 + 1010);
    assert.equal(host.health, 'healthy');
    time.advance(5000 + 1020);
    assert.equal(host.health, 'healthy');
    time.advance(5000 + 1020);
    assert.equal(host.health, 'unhealthy'); // the third in a row
    result = 'success';
    time.advance(5010);
    assert.equal(host.health, 'unhealthy');
    time.advance(10_010);
    assert.equal(host.health, 'healthy');
    assert.equal(checks, 6);
    result = 'active';
    time.advance(10_010);
    assert.equal(host.health, 'unhealthy'); // a refusal needs no second one
    checker.stop();
  });
});
