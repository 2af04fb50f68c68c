import assert from 'node:assert/strict';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import type { CounterStore } from '#ratelimit/store/counter-store.ts';
import { hashSlot } from '#ratelimit/store/hash-slot.ts';
import { type Take, takeLimit } from '#ratelimit/store/take.ts';
import { peerTest } from '#test/support/peers.ts';
import { addUntil, untilCounted } from '../support/ask-load.ts';
import { addTo, openRedisStore } from '../support/open-redis-store.ts';
import { startCluster } from '../support/redis-cluster.ts';

const short = { callTimeoutMs: 1000, connectTimeoutMs: 1000 };
const keys = Array.from({ length: 60 }, (_, i) => `key_${i}`);

const clusterAt = (ports: readonly number[]): { readonly type: 'cluster'; readonly url: string } => ({
  type: 'cluster',
  url: ports.map((port) => `127.0.0.1:${port}`).join(','),
});

/** Takes, as `taken` or `over` for each, or the error. */
async function takeAll(store: CounterStore, takes: readonly Take[], allOrNothing: boolean): Promise<string> {
  return await new Promise((resolve) => {
    const answers: string[] = [];
    let waiting = takes.length;
    const settle = (index: number, answer: string): void => {
      answers[index] = answer;
      if (--waiting === 0) resolve(answers.join(' '));
    };
    store.take(takes, allOrNothing, {
      onCounter: (index, after) => settle(index, after > takes[index]!.limit.limit ? 'over' : 'taken'),
      onCounterError: (index, message) => settle(index, message),
    });
  });
}

peerTest(
  'redis-server',
  'cluster: keys of all nodes in one turn; scripts for each slot, all or nothing across them',
  async (binary) => {
    const world = await startCluster(binary);
    // One node is enough to find the others.
    const { store, stats } = await openRedisStore(0, short, clusterAt([world.nodes[1]!.redis.port]));
    try {
      for (const round of [1, 2, 3]) {
        assert.deepEqual(
          await Promise.all(keys.map(async (key) => await addTo(store, key))),
          keys.map(() => round),
        );
      }
      assert.ok(stats.pools[0]!.cxActive >= 3);
      for (const { admin } of world.nodes) assert.ok((await admin.dbsize()) > 5);
      assert.ok((await world.ownerOf(hashSlot('key_0')).admin.ttl('key_0')) > 0);
      const wide = takeLimit(LimitAlgorithm.SlidingWindow, 5, 0, 3600, true);
      const small = takeLimit(LimitAlgorithm.Bucket, 1, 2, 3600, true);
      const outcomes: string[] = [];
      for (let i = 0; i < 4; i++) {
        const one = { limit: wide, key: 's:a', windowStart: 0, hits: 1, index: 0 };
        const two = { limit: small, key: 'g:b', windowStart: 0, hits: 1, index: 1 };
        outcomes.push(await takeAll(store, [one, two], true));
      }
      assert.deepEqual(outcomes, ['taken taken', 'taken taken', 'taken over', 'taken over']);
      const rest = { limit: wide, key: 's:a', windowStart: 0, hits: 3, index: 0 };
      assert.equal(await takeAll(store, [rest], false), 'taken', 'what was reserved in vain is there again');
      assert.equal(
        Object.values(stats.errors).reduce((sum, count) => sum + count, 0),
        0,
      );
    } finally {
      store.close();
      await world.stop();
    }
  },
);

peerTest('redis-server', 'cluster: a slot that moves under load: no call fails or counts twice', async (binary) => {
  const world = await startCluster(binary);
  const { store, stats } = await openRedisStore(0, short, clusterAt(world.nodes.map(({ redis }) => redis.port)));
  try {
    const slot = hashSlot('key_7');
    const from = world.ownerOf(slot);
    const to = world.nodes.find((node) => node !== from)!;
    // In the slot that moves (by its braces): one that is there already, and one that comes while it moves.
    const young = '{key_7}young';
    let over = false;
    const loads = ['key_7', 'key_8', 'key_9'].map(async (key) => await addUntil(store, key, () => over, 2));
    await untilCounted(store, 'key_7');
    const limit = takeLimit(LimitAlgorithm.Bucket, 5, 5, 3600, true);
    const script = { limit, key: '{key_7}bucket', windowStart: 0, hits: 1, index: 0 };
    await world.move(slot, from, to, async () => {
      // A key that is not there yet is made on the new node: ASK.
      assert.equal(await addTo(store, young), 1);
      assert.equal(await addTo(store, young), 2);
      assert.equal(await takeAll(store, [script], false), 'taken');
    });
    assert.equal(await addTo(store, young), 3);
    assert.equal(await takeAll(store, [{ ...script, hits: 4 }], false), 'taken');
    assert.equal(await takeAll(store, [script], false), 'over');
    over = true;
    const [moved] = await Promise.all(loads);
    assert.deepEqual(moved!.errors, []);
    assert.equal(new Set(moved!.counts).size, moved!.counts.length);
    assert.equal(Math.max(...moved!.counts), moved!.counts.length + 1);
    assert.ok((await to.admin.ttl('key_7')) > 0, 'it has a life on its new node');
    assert.ok((await to.admin.ttl(young)) > 0);
    assert.equal(
      Object.values(stats.errors).reduce((sum, count) => sum + count, 0),
      0,
    );
  } finally {
    store.close();
    await world.stop();
  }
});

peerTest(
  'redis-server',
  'cluster: a node that hangs, and one that is killed, fail their own keys only',
  async (binary) => {
    const world = await startCluster(binary);
    const ports = world.nodes.map(({ redis }) => redis.port);
    const { store, stats } = await openRedisStore(0, { callTimeoutMs: 300, connectTimeoutMs: 500 }, clusterAt(ports));
    try {
      await Promise.all(keys.map(async (key) => await addTo(store, key)));
      const victim = world.ownerOf(hashSlot('key_0'));
      const spared = keys.find((key) => world.ownerOf(hashSlot(key)) !== victim)!;
      victim.redis.program.signal('SIGSTOP');
      const hung = await addUntil(store, 'key_0', () => stats.errors.breaker_open > 20, 1);
      assert.deepEqual(hung.counts, []);
      assert.equal(await addTo(store, spared), 2);
      victim.redis.program.signal('SIGCONT');
      const back = await untilCounted(store, 'key_0');
      assert.ok(back >= 2 && back <= 2 + hung.errors.length, `${back}`);
      assert.equal(await addTo(store, spared), 3);
      await victim.redis.program.stop('SIGKILL');
      const killed = await addUntil(store, 'key_0', () => stats.errors.disconnected + stats.errors.clusterdown > 5, 1);
      assert.deepEqual(killed.counts, []);
      assert.equal(await addTo(store, spared), 4);
      assert.equal(store.healthy, true);
    } finally {
      store.close();
      await world.stop();
    }
  },
);

peerTest('redis-server', 'cluster: a replica takes the place of a killed master', async (binary) => {
  const world = await startCluster(binary);
  const ports = world.nodes.map(({ redis }) => redis.port);
  const { store, stats } = await openRedisStore(0, { callTimeoutMs: 300, connectTimeoutMs: 500 }, clusterAt(ports));
  try {
    const victim = world.ownerOf(hashSlot('key_0'));
    const replica = await world.addReplica(victim);
    for (let i = 1; i <= 10; i++) assert.equal(await addTo(store, 'key_0'), i);
    await victim.redis.program.until(
      async () => (await replica.admin.call('READONLY')) === 'OK' && (await replica.admin.get('key_0')) === '10',
    );
    await victim.redis.program.stop('SIGKILL');
    await assert.rejects(addTo(store, 'key_0'), /^Error: redis: /);
    const first = await untilCounted(store, 'key_0', 30_000);
    assert.ok(first >= 11 && first <= 11 + stats.errors.timeout, `${first}`);
    assert.equal(await replica.admin.get('key_0'), String(first));
  } finally {
    store.close();
    await world.stop();
  }
});
