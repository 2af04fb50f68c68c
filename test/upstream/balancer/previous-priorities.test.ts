import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Host, LoadBalancerContext } from '#gateway/api/upstream.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { Counter } from '#gateway/stats/stats.ts';
import { LoadBalancer } from '#gateway/upstream/balancer/load-balancer.ts';
import { PreviousPriorities } from '#gateway/upstream/balancer/previous-priorities.ts';
import { roundRobin } from '#gateway/upstream/balancer/round-robin.ts';
import { buildHostSet } from '#gateway/upstream/host-set.ts';

const host = (priority: number): Host =>
  ({
    priority,
    weight: 1,
    health: 'healthy',
    locality: { region: '', zone: '', subZone: '' },
  }) as Host;

describe('previous priorities', () => {
  it('leaves out the priorities of failed hosts, and starts anew when none is left', () => {
    const priority = new PreviousPriorities(1);
    const usual = [100, 100];
    assert.equal(priority.adjust(usual, [0, 0]), null);
    priority.onHostTried(host(0));
    assert.deepEqual(priority.adjust(usual, [0, 0]), { healthy: [0, 100], degraded: [0, 0] });
    priority.onHostTried(host(1));
    assert.deepEqual(priority.adjust(usual, [0, 0]), { healthy: [100, 0], degraded: [0, 0] });
    priority.onHostTried(host(0));
    assert.deepEqual(priority.adjust(usual, [0, 0]), { healthy: [0, 100], degraded: [0, 0] });
  });

  it('looks anew only after every so many failures', () => {
    const priority = new PreviousPriorities(2);
    priority.onHostTried(host(0));
    assert.equal(priority.adjust([100, 100, 100], [0, 0, 0]), null);
    priority.onHostTried(host(0));
    const second = { healthy: [0, 100, 0], degraded: [0, 0, 0] };
    assert.deepEqual(priority.adjust([100, 100, 100], [0, 0, 0]), second);
    priority.onHostTried(host(1));
    assert.deepEqual(priority.adjust([100, 100, 100], [0, 0, 0]), second);
    priority.onHostTried(host(1));
    assert.deepEqual(priority.adjust([100, 100, 100], [0, 0, 0])?.healthy, [0, 0, 100]);
  });

  it('shares the load among what is left of weak priorities, and has no opinion without any', () => {
    const priority = new PreviousPriorities(1);
    priority.onHostTried(host(0));
    assert.deepEqual(priority.adjust([100, 30, 30], [0, 0, 10]), { healthy: [0, 44, 42], degraded: [0, 0, 14] });
    assert.equal(new PreviousPriorities(1).adjust([0, 0], [0, 0]), null);
  });

  it('sends retries to another priority', () => {
    const options = { panicPercent: 50, localityWeighted: false, failOnPanic: false };
    const balancer = new LoadBalancer(roundRobin, options, createSeededRandom(1), new Counter('p'));
    const sets = [0, 1].map((priority) => buildHostSet(priority, [host(priority), host(priority)], null));
    balancer.update(sets, 140);
    const retryPriority = new PreviousPriorities(1);
    const context = (retries: number): LoadBalancerContext => ({
      requestHead: null,
      downstreamConnection: null,
      hashKey: () => null,
      metadataMatch: null,
      shouldSelectAnotherHost: () => false,
      hostSelectionRetryCount: retries,
      retryPriority,
    });
    assert.equal(balancer.choose(context(0))!.priority, 0);
    retryPriority.onHostTried(sets[0]!.hosts[0]!);
    assert.equal(balancer.choose(context(1))!.priority, 1);
  });
});
