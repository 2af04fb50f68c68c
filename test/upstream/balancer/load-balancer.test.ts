import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Host, HostHealth, LoadBalancerContext, Locality } from '#gateway/api/upstream.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { Counter } from '#gateway/stats/stats.ts';
import { LoadBalancer } from '#gateway/upstream/balancer/load-balancer.ts';
import { priorityLoad } from '#gateway/upstream/balancer/priority-load.ts';
import { roundRobin } from '#gateway/upstream/balancer/round-robin.ts';
import { buildHostSet, type HostSet, localityKey } from '#gateway/upstream/host-set.ts';

const nowhere: Locality = { region: '', zone: '', subZone: '' };
const zone = (name: string): Locality => ({ region: 'r', zone: name, subZone: '' });

function hosts(priority: number, health: string, locality: Locality = nowhere): Host[] {
  const kinds: Readonly<Record<string, HostHealth>> = { h: 'healthy', d: 'degraded', u: 'unhealthy' };
  return [...health].map(
    (letter, i) =>
      ({
        hostname: `p${priority}${locality.zone}${letter}${i}`,
        weight: 1,
        health: kinds[letter],
        locality,
        priority,
      }) as Host,
  );
}

const set = (priority: number, health: string): HostSet => buildHostSet(priority, hosts(priority, health), null);

function balancer(sets: readonly HostSet[], localityWeighted = false, panicPercent = 50): [LoadBalancer, Counter] {
  const panics = new Counter('lb_healthy_panic');
  const options = { panicPercent, localityWeighted, failOnPanic: false };
  const made = new LoadBalancer(roundRobin, options, createSeededRandom(5), panics);
  made.update(sets, 140);
  return [made, panics];
}

function share(made: LoadBalancer, of: (host: Host) => string, picks = 10_000): Record<string, number> {
  const found: Record<string, number> = {};
  for (let i = 0; i < picks; i++) {
    const key = of(made.choose(null)!);
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}

// From Envoy's documentation of priority levels and of degraded endpoints.
const loads: readonly { sets: string[]; healthy: number[]; degraded?: number[]; panic?: boolean[] }[] = [
  { sets: ['hhhh', 'hhhh'], healthy: [100, 0] },
  { sets: ['hhhu', 'hhhh'], healthy: [100, 0] }, // 75 % * 1.4 > 100 %
  { sets: ['huuu', 'hhhh'], healthy: [35, 65] },
  { sets: ['uuuu', 'hhhh'], healthy: [0, 100] },
  { sets: ['huuu', 'huuu'], healthy: [50, 50], panic: [true, true] },
  { sets: ['huuuu', 'huuuu', 'hhhhh'], healthy: [28, 28, 44] },
  { sets: ['dddd'], healthy: [0], degraded: [100] },
  { sets: ['hddd', 'hhhh'], healthy: [35, 65], degraded: [0, 0] },
  { sets: ['uuuu'], healthy: [100], panic: [true] },
  { sets: [''], healthy: [100], panic: [true] },
];

describe('priority load', () => {
  for (const { sets, healthy, degraded, panic } of loads) {
    it(`of ${sets.map((health) => health || 'none').join(' / ')}`, () => {
      const load = priorityLoad(
        sets.map((health, i) => set(i, health)),
        140,
        50,
      );
      assert.deepEqual(load.healthy, healthy);
      if (degraded !== undefined) assert.deepEqual(load.degraded, degraded);
      if (panic !== undefined) assert.deepEqual(load.panic, panic);
    });
  }
});

describe('load balancer', () => {
  it('spreads over priorities as their health says', () => {
    const [made] = balancer([set(0, 'huuu'), set(1, 'hhhh')]);
    const found = share(made, (host) => String(host.priority));
    assert.ok(Math.abs(found['0']! - 3500) < 250);
  });

  it('uses unhealthy hosts only in panic, and counts that', () => {
    const [made, panics] = balancer([set(0, 'hhhhu')]);
    assert.deepEqual(Object.keys(share(made, (host) => host.health, 100)), ['healthy']);
    assert.equal(panics.value, 0);
    const [panicking, counted] = balancer([set(0, 'huuu')]);
    assert.equal(Object.keys(share(panicking, (host) => host.hostname, 100)).length, 4);
    assert.equal(counted.value, 100);
    const [strict] = balancer([set(0, 'uuuu')], false, 0);
    assert.equal(strict.choose(null), null);
  });

  it('follows the weights of localities, less their lost hosts', () => {
    const all = [...hosts(0, 'hh', zone('a')), ...hosts(0, 'hh', zone('b')), ...hosts(0, 'hh', zone('c'))];
    const weights = new Map([
      [localityKey(zone('a')), 1],
      [localityKey(zone('b')), 3],
    ]); // c has none: no load
    const [made] = balancer([buildHostSet(0, all, weights)], true);
    const found = share(made, (host) => host.locality.zone, 4000);
    assert.ok(Math.abs(found['a']! - 1000) < 10);
    assert.equal(found['c'], undefined);
    const lost = [...hosts(0, 'hhhh', zone('a')), ...hosts(0, 'huuu', zone('b'))];
    const equal = new Map([
      [localityKey(zone('a')), 1],
      [localityKey(zone('b')), 1],
    ]);
    const [uneven] = balancer([buildHostSet(0, lost, equal)], true);
    const halves = share(uneven, (host) => host.locality.zone, 5400);
    assert.ok(Math.abs(halves['b']! - 1400) < 20); // 0.25 * 1.4 against 1
  });

  it('avoids hosts that the context does not want, as often as it says', () => {
    const [made] = balancer([set(0, 'hh')]);
    const unwanted = made.choose(null)!;
    const context = {
      hostSelectionRetryCount: 3,
      shouldSelectAnotherHost: (host: Host) => host === unwanted,
    } as unknown as LoadBalancerContext;
    for (let i = 0; i < 10; i++) assert.notEqual(made.choose(context), unwanted);
  });
});
