import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '#gateway/api/upstream.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { Counter, Gauge } from '#gateway/stats/stats.ts';
import type { BalancingPolicy } from '#gateway/upstream/balancer/host-picker.ts';
import { readBalancing } from '#gateway/upstream/parse/balancing.ts';
import { clusterMessage } from '#test/support/upstream-world.ts';

function host(hostname: string, weight: number, active: number): Host {
  const rqActive = new Gauge('rq_active');
  rqActive.set(active);
  return { hostname, weight, stats: { rqActive, rqTotal: new Counter('rq_total') } } as unknown as Host;
}

test('runtime changes the bias of least request from the next set of hosts on', () => {
  const cluster = clusterMessage({
    name: 'c',
    lb_policy: 'LEAST_REQUEST',
    least_request_lb_config: { active_request_bias: { default_value: 0, runtime_key: 'lb.bias' } },
  });
  const values: { [key: string]: number } = {};
  const runtime = { number: (key: string, fallback: number) => values[key] ?? fallback };
  const found = new Diagnostics();
  const { policy } = readBalancing(cluster, { clock: systemClock, runtime }, found);
  assert.equal(found.failed, false);
  const hosts = [host('busy', 2, 99), host('idle', 1, 0)];
  const picksOfBusy = (): number => {
    const picker = (policy as BalancingPolicy).createPicker(hosts, true, createSeededRandom(1));
    let picks = 0;
    for (let i = 0; i < 300; i++) if (picker.pick(null)!.hostname === 'busy') picks++;
    return picks;
  };
  assert.ok(picksOfBusy() > 190, 'by weight alone');
  values['lb.bias'] = 1;
  assert.ok(picksOfBusy() < 20, 'active requests count');
});
