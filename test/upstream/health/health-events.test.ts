import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { until } from '#test/support/until.ts';
import {
  closedPort,
  createUpstreamWorld,
  onPorts,
  response,
  startScriptedUpstream,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';

const sink = {
  name: 'envoy.health_check.event_sinks.file',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink',
    event_log_path: 'events',
  },
};

function logged(port: number, check: { [key: string]: JsonValue }): { world: UpstreamWorld; lines: string[] } {
  const lines: string[] = [];
  const checks = [
    {
      timeout: '5s',
      interval: '0.02s',
      no_traffic_interval: '0.02s',
      unhealthy_threshold: 2,
      healthy_threshold: 1,
      event_logger: [sink],
      ...check,
    },
  ];
  const config = { name: 'c', load_assignment: onPorts(port), health_checks: checks };
  const openLog = (path: string) => ({ write: (line: string) => void lines.push(`${path} ${line}`) });
  return { world: createUpstreamWorld([config], {}, { openLog }), lines };
}

describe('health check events', () => {
  it('are written as lines of JSON', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(200, '')));
    t.after(() => upstream.close());
    const { world, lines } = logged(upstream.port, { http_health_check: { path: '/' } });
    t.after(() => world.clusters.close());
    await until(() => lines.length > 0);
    const timeless = lines[0]!.replace(/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/, '"timestamp":""');
    assert.equal(
      timeless,
      `events {"health_checker_type":"HTTP","host":{"socket_address":{"protocol":"TCP","address":"127.0.0.1",` +
        `"port_value":${upstream.port},"resolver_name":"","ipv4_compat":false,"network_namespace_filepath":""}},` +
        `"cluster_name":"c","add_healthy_event":{"first_check":true},"timestamp":"",` +
        `"locality":{"region":"","zone":"","sub_zone":""}}\n`,
    );
  });

  it('tell of changes, and of every check when asked to', async (t) => {
    let status = 200;
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(status, '')));
    t.after(() => upstream.close());
    const { world, lines } = logged(upstream.port, {
      http_health_check: { path: '/' },
      always_log_health_check_failures: true,
      always_log_health_check_success: true,
    });
    t.after(() => world.clusters.close());
    const has = (text: string) => lines.some((line) => line.includes(text));
    await until(() => has('"successful_health_check_event":{}'));
    status = 503;
    await until(() => has('"eject_unhealthy_event":{"failure_type":"ACTIVE","http_status_code":503}'));
    await until(() =>
      has('"health_check_failure_event":{"failure_type":"ACTIVE","first_check":false,"http_status_code":503}'),
    );
    status = 200;
    await until(() => has('"add_healthy_event":{"first_check":false}'));
  });

  it('tell of the first failure in any case', async (t) => {
    const { world, lines } = logged(await closedPort(), { tcp_health_check: {} });
    t.after(() => world.clusters.close());
    await until(() => world.context.stat('cluster.c.health_check.failure') > 2);
    const failure = '"health_check_failure_event":{"failure_type":"NETWORK","first_check":true,"http_status_code":0}';
    assert.equal(lines.length, 1);
    assert.ok(lines[0]!.includes(failure) && lines[0]!.includes('"health_checker_type":"TCP"'));
  });
});
