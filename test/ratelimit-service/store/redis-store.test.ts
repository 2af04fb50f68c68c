import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { peerTest } from '#test/support/peers.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { addTo as add, openRedisStore } from '../support/open-redis-store.ts';

peerTest('redis-server', 'calls of one turn share a pipeline and each gets its own count', async (binary) => {
  const redis = await startRedis(binary);
  const { store, client } = await openRedisStore(redis.port);
  try {
    assert.deepEqual(
      await Promise.all([add(store, 'a', 1), add(store, 'b', 5), add(store, 'a', 2), add(store, 'a', 0)]),
      [1, 5, 3, 3],
    );
    assert.deepEqual(await Promise.all([add(store, 'a', 1), add(store, 'a', 1)]), [4, 5]);
    assert.equal(await client.get('a'), '5');
    assert.equal(await client.get('b'), '5');
    const life = await client.ttl('a');
    assert.ok(life > 50 && life <= 60, `${life}`);
    const calls = /cmdstat_incrby:calls=(\d+)/.exec(await client.info('commandstats'))?.[1];
    assert.equal(calls, '3');
  } finally {
    store.close();
    await redis.program.stop();
  }
});

peerTest('redis-server', 'a key of another type fails alone', async (binary) => {
  const redis = await startRedis(binary);
  const { store, client } = await openRedisStore(redis.port);
  try {
    await client.lpush('list', 'x');
    const [list, number] = await Promise.allSettled([add(store, 'list', 1), add(store, 'n', 1)]);
    assert.equal(list.status, 'rejected');
    assert.deepEqual(number, { status: 'fulfilled', value: 1 });
  } finally {
    store.close();
    await redis.program.stop();
  }
});

peerTest('redis-server', 'when Redis is gone calls fail at once, and work again when it is back', async (binary) => {
  const redis = await startRedis(binary);
  const { store } = await openRedisStore(redis.port);
  let second: TestRedis | null = null;
  try {
    assert.equal(await add(store, 'a', 1), 1);
    await redis.program.stop();
    await redis.program.until(() => true).catch(() => {});
    await assert.rejects(add(store, 'a', 1));
    second = await startRedis(binary, redis.port);
    for (let tries = 0; ; tries++) {
      try {
        assert.equal(await add(store, 'a', 1), 1);
        break;
      } catch (error) {
        if (tries > 100) throw error;
        await delay(50);
      }
    }
    assert.equal(store.healthy, true);
  } finally {
    store.close();
    await second?.program.stop();
  }
});

peerTest('redis-server', 'a Redis that hangs is not waited for longer than the time-out', async (binary) => {
  const redis = await startRedis(binary);
  const { store } = await openRedisStore(redis.port, { callTimeoutMs: 300 });
  try {
    assert.equal(await add(store, 'a', 1), 1);
    redis.program.signal('SIGSTOP');
    await assert.rejects(add(store, 'a', 1), /redis: no answer within 300 ms/);
  } finally {
    redis.program.signal('SIGCONT');
    store.close();
    await redis.program.stop();
  }
});
