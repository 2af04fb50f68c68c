import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { UpstreamHost } from '#gateway/upstream/host.ts';
import type { TestServerContext } from '#test/support/server-context.ts';
import { createUpstreamWorld, onPorts } from '#test/support/upstream-world.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

interface World {
  readonly time: VirtualTime;
  readonly hosts: readonly UpstreamHost[];
  readonly ejected: () => string;
  readonly stat: (name: string) => number;
  readonly context: TestServerContext;
  readonly chosen: () => Set<number>;
}

function world(outlier: JsonValue, hostCount = 10): World {
  const time = new VirtualTime();
  const ports = Array.from({ length: hostCount }, (_, i) => i + 1);
  const config = { name: 'c', load_assignment: onPorts(...ports), outlier_detection: outlier };
  const { context, clusters } = createUpstreamWorld([config], {
    clock: time,
    timers: time.timers,
    random: createSeededRandom(4),
  });
  const cluster = clusters.get('c')!;
  const { hosts } = cluster;
  return {
    time,
    hosts,
    context,
    ejected: () => hosts.map((host) => (host.outlier.ejected ? 'x' : '.')).join(''),
    stat: (name) => context.stat(`cluster.c.outlier_detection.${name}`),
    chosen: () => new Set(Array.from({ length: 100 }, () => cluster.chooseHost(null)!.address.port)),
  };
}

function answer(host: UpstreamHost, status: number, times: number): void {
  for (let i = 0; i < times; i++) host.outlier.putHttpResponseCode(status);
}

describe('outlier detection', () => {
  it('ejects after five 5xx in a row and brings the host back after the ejection time', () => {
    const { time, hosts, ejected, stat, chosen, context } = world({});
    answer(hosts[2]!, 500, 4);
    answer(hosts[2]!, 200, 1);
    answer(hosts[2]!, 500, 4);
    assert.equal(ejected(), '..........');
    answer(hosts[2]!, 500, 1);
    assert.equal(ejected(), '..x.......');
    assert.equal(chosen().has(3), false);
    assert.equal(hosts[2]!.healthFlagsText(), '/failed_outlier_check');
    assert.equal(stat('ejections_active'), 1);
    assert.equal(stat('ejections_enforced_consecutive_5xx'), 1);
    assert.equal(context.stat('cluster.c.membership_healthy'), 9);
    time.advance(29_000);
    assert.equal(ejected(), '..x.......');
    time.advance(11_001); // the sweep at 40 s is the first after the 30 s
    assert.equal(ejected(), '..........');
    assert.equal(chosen().has(3), true);
    assert.equal(stat('ejections_active'), 0);
  });

  it('ejects for longer each time', () => {
    const { time, hosts, ejected } = world({ base_ejection_time: '10s', interval: '1s', max_ejection_time: '25s' });
    const lasts: number[] = [];
    for (let round = 0; round < 4; round++) {
      answer(hosts[0]!, 503, 5);
      let seconds = 0;
      while (ejected().startsWith('x')) {
        time.advance(1000);
        seconds++;
      }
      lasts.push(seconds);
    }
    assert.deepEqual(
      lasts.map((s) => Math.round(s / 5) * 5),
      [10, 20, 25, 25],
    );
  });

  it('ejects no more hosts than the maximum percentage', () => {
    const { hosts, ejected, stat } = world({ max_ejection_percent: 20 });
    for (const host of hosts) answer(host, 500, 5);
    assert.equal(ejected(), 'xx........');
    assert.equal(stat('ejections_overflow'), 8);
  });

  it('keeps a lone host unless told to eject one always', () => {
    const lone = world({}, 1);
    answer(lone.hosts[0]!, 500, 5);
    assert.equal(lone.ejected(), '.');
    const always = world({ always_eject_one_host: true }, 1);
    answer(always.hosts[0]!, 500, 5);
    assert.equal(always.ejected(), 'x');
  });

  it('counts gateway failures apart, and enforces them only when asked', () => {
    const quiet = world({ consecutive_5xx: 100 });
    answer(quiet.hosts[0]!, 503, 5);
    assert.equal(quiet.ejected(), '..........');
    assert.equal(quiet.stat('ejections_detected_consecutive_gateway_failure'), 1);
    const strict = world({
      consecutive_5xx: 100,
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
    });
    answer(strict.hosts[0]!, 503, 1);
    answer(strict.hosts[0]!, 500, 1); // a 500 is no gateway failure
    answer(strict.hosts[0]!, 503, 1);
    assert.equal(strict.ejected(), '..........');
    answer(strict.hosts[0]!, 504, 1);
    assert.equal(strict.ejected(), 'x.........');
  });

  it('takes local errors for 5xx, or by themselves when they are split', () => {
    const joined = world({ consecutive_5xx: 2 });
    joined.hosts[0]!.outlier.putResult('connect_failed');
    joined.hosts[0]!.outlier.putResult('timeout');
    assert.equal(joined.ejected(), 'x.........');
    const split = world({
      consecutive_5xx: 2,
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 3,
    });
    for (let i = 0; i < 2; i++) split.hosts[0]!.outlier.putResult('connect_failed');
    split.hosts[0]!.outlier.putResult('connect_success');
    for (let i = 0; i < 3; i++) split.hosts[0]!.outlier.putResult('reset');
    assert.equal(split.ejected(), 'x.........');
    assert.equal(split.stat('ejections_enforced_consecutive_local_origin_failure'), 1);
  });

  it('ejects a host whose success rate lies far below the others', () => {
    const { time, hosts, ejected, stat } = world({ consecutive_5xx: 1000, consecutive_gateway_failure: 1000 });
    for (const host of hosts) answer(host, 200, host === hosts[7] ? 50 : 100);
    answer(hosts[7]!, 500, 50);
    time.advance(10_001);
    assert.equal(ejected(), '.......x..');
    assert.equal(stat('ejections_enforced_success_rate'), 1);
  });

  it('ejects by failure percentage when asked', () => {
    const rules = {
      consecutive_5xx: 1000,
      enforcing_success_rate: 0,
      enforcing_failure_percentage: 100,
      max_ejection_percent: 50,
    };
    const { time, hosts, ejected } = world(rules);
    for (const host of hosts) answer(host, host === hosts[1] || host === hosts[2] ? 500 : 200, 60);
    time.advance(10_001);
    assert.equal(ejected(), '.xx.......');
  });
});
