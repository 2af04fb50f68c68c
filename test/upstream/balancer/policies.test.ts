import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Host } from '#gateway/api/upstream.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { Counter, Gauge } from '#gateway/stats/stats.ts';
import type { BalancingPolicy } from '#gateway/upstream/balancer/host-picker.ts';
import { leastRequest } from '#gateway/upstream/balancer/least-request.ts';
import { randomPolicy } from '#gateway/upstream/balancer/random-policy.ts';
import { createRoundRobin, roundRobin } from '#gateway/upstream/balancer/round-robin.ts';
import { SlowStart } from '#gateway/upstream/balancer/slow-start.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

function host(name: string, weight = 1, active = 0): Host {
  const gauge = new Gauge('rq_active');
  gauge.set(active);
  const stats = { rqActive: gauge, rqTotal: new Counter('rq_total') };
  return { hostname: name, weight, stats } as unknown as Host;
}

function counts(policy: BalancingPolicy, hosts: readonly Host[], picks: number, seed = 7): Map<string, number> {
  const weighted = hosts.some((one) => one.weight !== hosts[0]!.weight);
  const picker = policy.createPicker(hosts, weighted, createSeededRandom(seed));
  const found = new Map<string, number>();
  for (let i = 0; i < picks; i++) {
    const { hostname } = picker.pick(null)!;
    found.set(hostname, (found.get(hostname) ?? 0) + 1);
  }
  return found;
}

const least = leastRequest({ choiceCount: 2, activeRequestBias: 1, fullScan: false, slowStart: null });
const scanning = leastRequest({ choiceCount: 2, activeRequestBias: 1, fullScan: true, slowStart: null });

/** What every policy must do. `weights` false: the policy does not look at them, as in Envoy. */
const policies: readonly { name: string; policy: BalancingPolicy; weights: boolean }[] = [
  { name: 'round robin', policy: roundRobin, weights: true },
  { name: 'least request', policy: least, weights: true },
  { name: 'least request, full scan', policy: scanning, weights: true },
  { name: 'random', policy: randomPolicy, weights: false },
];

for (const { name, policy, weights } of policies) {
  describe(`${name} balancing`, () => {
    it('has nothing to pick without hosts', () => {
      assert.equal(policy.createPicker([], false, createSeededRandom(1)).pick(null), null);
    });

    it('always picks the only host', () => {
      assert.deepEqual([...counts(policy, [host('a')], 20)], [['a', 20]]);
    });

    it('spreads evenly over equal hosts', () => {
      const found = counts(policy, [host('a'), host('b'), host('c'), host('d')], 8000);
      for (const count of found.values()) assert.ok(Math.abs(count - 2000) < 200, `${count}`);
      assert.equal(found.size, 4);
    });

    it('is the same for the same seed', () => {
      const hosts = [host('a'), host('b'), host('c')];
      assert.deepEqual([...counts(policy, hosts, 50, 3)], [...counts(policy, hosts, 50, 3)]);
    });

    if (weights) {
      it('follows the weights of hosts', () => {
        const found = counts(policy, [host('a', 1), host('b', 2), host('c', 5)], 8000);
        assert.ok(Math.abs(found.get('a')! - 1000) < 20);
        assert.ok(Math.abs(found.get('c')! - 5000) < 20);
      });
    }
  });
}

describe('round robin', () => {
  it('takes hosts in turn', () => {
    const hosts = [host('a'), host('b'), host('c')];
    const picker = roundRobin.createPicker(hosts, false, createSeededRandom(1));
    const order = Array.from({ length: 6 }, () => picker.pick(null)!.hostname);
    assert.deepEqual(order.slice(0, 3), order.slice(3));
    assert.equal(new Set(order).size, 3);
  });

  it('interleaves weighted hosts instead of bunching them', () => {
    const hosts = [host('a', 2), host('b', 1)];
    const picker = roundRobin.createPicker(hosts, true, createSeededRandom(1));
    const order = Array.from({ length: 40 }, () => picker.pick(null)!.hostname).join('');
    assert.doesNotMatch(order, /aaa/);
    assert.doesNotMatch(order, /bb/);
  });
});

describe('least request', () => {
  it('prefers the idle host of a pair', () => {
    const found = counts(least, [host('busy', 1, 10), host('idle', 1, 0)], 4000);
    // The busy one is chosen only when both draws are it.
    assert.ok(Math.abs(found.get('busy')! - 1000) < 120);
  });

  it('never takes a busy host in a full scan', () => {
    assert.deepEqual([...counts(scanning, [host('busy', 1, 1), host('idle')], 100)], [['idle', 100]]);
  });

  it('divides weights by the requests under way', () => {
    const found = counts(least, [host('a', 4, 3), host('b', 2, 0)], 3000);
    assert.ok(Math.abs(found.get('b')! - 2000) < 20); // 4/(3+1) against 2/1
  });
});

describe('slow start', () => {
  it('gives a new host a share that grows with its age', () => {
    const time = new VirtualTime();
    const warming = new SlowStart({ windowMs: 60_000, aggression: 1, minWeightPercent: 10 }, time);
    const policy = createRoundRobin(warming);
    const old = Object.assign(host('old'), { readySinceMs: time.nowMs() - 100_000 });
    const fresh = Object.assign(host('fresh'), { readySinceMs: time.nowMs() });
    const share = (): number => (counts(policy, [old, fresh], 1000).get('fresh') ?? 0) / 1000;
    assert.ok(Math.abs(share() - 0.1 / 1.1) < 0.01);
    time.advance(30_000);
    assert.ok(Math.abs(share() - 0.5 / 1.5) < 0.01);
    time.advance(31_000);
    assert.ok(Math.abs(share() - 0.5) < 0.01);
    const eager = new SlowStart({ windowMs: 60_000, aggression: 2, minWeightPercent: 10 }, time);
    const newest = Object.assign(host('newest'), { readySinceMs: time.nowMs() - 15_000 });
    assert.equal(eager.factor(newest), 0.5);
  });
});
