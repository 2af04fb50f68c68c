import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { createRedisClient, waitForRedis } from '#ratelimit/store/connect-redis.ts';
import { RedisStore } from '#ratelimit/store/redis-store.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';

const timers = createSystemTimers(systemClock);
const log = new Logger('redis', { write: () => {} }, 'off');

async function connect(redis: TestRedis, timeoutMs = 2000): Promise<{ store: RedisStore; client: Redis }> {
  const target = {
    type: 'single',
    url: `127.0.0.1:${redis.port}`,
    socketType: 'tcp',
    auth: '',
    sentinelAuth: '',
  } as const;
  const client = createRedisClient({ ...target, tls: null, timeoutMs }, log) as Redis;
  await waitForRedis(
    client,
    target.url,
    { initialMs: 50, maxMs: 50, maxElapsedMs: 5000 },
    { timers, log, stopped: () => false },
  );
  const random = createSeededRandom(1);
  return { client, store: new RedisStore(client, { jitterMaxSeconds: 0, timeoutMs, random, timers }) };
}

async function add(store: RedisStore, key: string, hits: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    store.add(
      key,
      hits,
      0,
      60,
      {
        onCounter: (_index, after) => resolve(after),
        onCounterError: (_index, message) => reject(new Error(message)),
      },
      0,
    );
  });
}

peerTest('redis-server', 'calls of one turn share a pipeline and each gets its own count', async (binary) => {
  const redis = await startRedis(binary);
  const { store, client } = await connect(redis);
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
  const { store, client } = await connect(redis);
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
  const { store } = await connect(redis);
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
  const { store } = await connect(redis, 300);
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
