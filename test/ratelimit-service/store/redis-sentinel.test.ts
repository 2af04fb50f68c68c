import assert from 'node:assert/strict';
import { peerTest } from '#test/support/peers.ts';
import { addUntil, untilCounted } from '../support/ask-load.ts';
import { addTo, openRedisStore } from '../support/open-redis-store.ts';
import { startSentinel } from '../support/redis-sentinel.ts';

const short = { callTimeoutMs: 200, connectTimeoutMs: 500 };

peerTest('redis-server', 'sentinel: a fail-over under load', async (binary) => {
  const world = await startSentinel(binary, 'sesame');
  const target = { type: 'sentinel', url: `limits,127.0.0.1:${world.port}`, sentinelAuth: 'sesame' } as const;
  const { store, stats } = await openRedisStore(0, short, target);
  try {
    assert.equal(await addTo(store, 'a'), 1);
    let over = false;
    const load = addUntil(store, 'a', () => over);
    await world.sentinel.call('SENTINEL', 'FAILOVER', 'limits');
    await world.replica.program.until(async () => (await world.masterPort()) === world.replica.port);
    // The old master is told, and its clients are sent away, a little later.
    await world.replica.program.until(() => stats.reconnects > 0);
    await untilCounted(store, 'b');
    over = true;
    const { counts, errors } = await load;
    assert.ok(counts.length > 0);
    // What the old master took while it was one no more is lost with it; nothing counts twice.
    const now = await untilCounted(store, 'a');
    assert.ok(now <= counts.length + errors.length + 2, `${now} of ${counts.length} and ${errors.length}`);
    assert.equal(stats.pools[0]!.cxActive, 1);
  } finally {
    store.close();
    await world.stop();
  }
});

peerTest('redis-server', 'sentinel: a master that hangs is left for the one that took its place', async (binary) => {
  const world = await startSentinel(binary);
  const target = { type: 'sentinel', url: `limits,127.0.0.1:${world.port}` } as const;
  const { store, stats } = await openRedisStore(0, short, target);
  try {
    assert.equal(await addTo(store, 'a'), 1);
    world.master.program.signal('SIGSTOP');
    assert.ok((await untilCounted(store, 'a', 20_000)) >= 1);
    assert.equal(await world.masterPort(), world.replica.port);
    assert.ok(stats.errors.timeout > 0 && stats.renewed > 0 && stats.breakerClosed === 1);
  } finally {
    world.master.program.signal('SIGCONT');
    store.close();
    await world.stop();
  }
});
