import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisErrorKind } from '#ratelimit/store/redis-error.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { addUntil, untilCounted } from '../support/ask-load.ts';
import { startForwarder } from '../support/forwarder.ts';
import { addTo, type OpenedStore, openRedisStore } from '../support/open-redis-store.ts';

// Tests share the machine: what Redis answers in half a second it answers.
const short = { callTimeoutMs: 500, connectTimeoutMs: 1000 };

/** A connection of the test's own, for what an operator would do. */
function operator(redis: TestRedis): Redis {
  const client = new Redis(redis.port, '127.0.0.1', { maxRetriesPerRequest: 0, enableReadyCheck: false });
  client.on('error', () => {});
  return client;
}

peerTest('redis-server', 'SIGSTOP: calls fail in time, then at once; what was sent counts once', async (binary) => {
  const redis = await startRedis(binary);
  const { store, stats } = await openRedisStore(redis.port, short);
  try {
    for (let i = 1; i <= 10; i++) assert.equal(await addTo(store, 'a'), i);
    redis.program.signal('SIGSTOP');
    const { counts, errors } = await addUntil(store, 'a', () => stats.errors.breaker_open >= 200);
    assert.deepEqual(counts, []);
    const timedOut = errors.filter((message) => message === 'redis: no answer within 500 ms').length;
    assert.equal(timedOut, stats.errors.timeout);
    assert.equal(stats.breakerOpened, 1);
    assert.ok(stats.renewed >= 1);
    redis.program.signal('SIGCONT');
    const first = await untilCounted(store, 'a');
    assert.equal(stats.breakerClosed, 1);
    // Ten, this one, and of those that timed out (with the probes of the way back) any number, but each only once.
    assert.ok(first >= 11 && first <= 11 + stats.errors.timeout, `${first}, ${stats.errors.timeout} timed out`);
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await addTo(store, 'b')));
    assert.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  } finally {
    redis.program.signal('SIGCONT');
    store.close();
    await redis.program.stop();
  }
});

peerTest('redis-server', 'more calls than may wait fail at once', async (binary) => {
  const redis = await startRedis(binary);
  const { store, stats } = await openRedisStore(redis.port, { callTimeoutMs: 500, maxInFlight: 10 });
  try {
    await addTo(store, 'a');
    redis.program.signal('SIGSTOP');
    const outcomes: string[] = [];
    const calls = Array.from({ length: 25 }, async () => {
      await addTo(store, 'a').catch((error: Error) => outcomes.push(error.message));
    });
    assert.equal(stats.errors.overflow, 15);
    await Promise.all(calls);
    assert.deepEqual(outcomes.slice(0, 15), Array(15).fill('redis: not asked, 10 counters are waiting for it'));
    assert.deepEqual(outcomes.slice(15), Array(10).fill('redis: no answer within 500 ms'));
    assert.deepEqual([stats.errors.overflow, stats.errors.timeout], [15, 10]);
    // Nobody waits for them any more, but Redis has them still.
    await assert.rejects(addTo(store, 'a'), /10 counters are waiting/);
    redis.program.signal('SIGCONT');
    assert.equal(await untilCounted(store, 'a'), 12);
    assert.equal(stats.lateAnswers, 10);
  } finally {
    redis.program.signal('SIGCONT');
    store.close();
    await redis.program.stop();
  }
});

peerTest(
  'redis-server',
  'connections that Redis closes under load: each call counts once or not at all',
  async (binary) => {
    const redis = await startRedis(binary);
    const { store, stats } = await openRedisStore(redis.port, { callTimeoutMs: 1000 });
    const admin = operator(redis);
    try {
      let kills = 0;
      const killing = (async (): Promise<void> => {
        while (stats.reconnects < 5) {
          await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
          kills++;
          await untilCounted(store, 'other');
        }
      })();
      const { counts, errors } = await addUntil(store, 'a', () => stats.reconnects >= 5, 8);
      await killing;
      const total = Number(await admin.get('a'));
      assert.ok(total >= counts.length && total <= counts.length + errors.length, `${total}`);
      assert.equal(new Set(counts).size, counts.length, 'no number twice');
      assert.equal(stats.pools[0]!.cxActive, 1);
      assert.ok(kills >= 5);
    } finally {
      admin.disconnect();
      store.close();
      await redis.program.stop();
    }
  },
);

peerTest('redis-server', 'a master that became a replica is left for the one at the same name', async (binary) => {
  const [a, b] = [await startRedis(binary), await startRedis(binary)];
  const forwarder = await startForwarder(a.port);
  const { store, stats } = await openRedisStore(forwarder.port);
  const admin = operator(a);
  try {
    assert.equal(await addTo(store, 'a', 5), 5);
    forwarder.target = b.port;
    await admin.replicaof('127.0.0.1', b.port);
    const message = await addTo(store, 'a').then(String, (error: Error) => error.message);
    assert.match(message, /^redis: READONLY /);
    assert.equal(await untilCounted(store, 'b'), 1);
    assert.deepEqual([stats.errors.readonly, stats.renewed, stats.reconnects], [1, 1, 1]);
    const other = operator(b);
    assert.equal(await other.get('b'), '1');
    other.disconnect();
  } finally {
    admin.disconnect();
    store.close();
    await forwarder.close();
    await Promise.all([a.program.stop(), b.program.stop()]);
  }
});

/** Makes Redis fail in one way, and well again; what is counted meanwhile. */
async function failsAs(
  { store, stats }: OpenedStore,
  kind: RedisErrorKind,
  message: RegExp,
  heal: () => Promise<unknown>,
): Promise<void> {
  const { counts, errors } = await addUntil(store, 'a', () => stats.errors.breaker_open >= 20, 1);
  assert.deepEqual(counts, []);
  assert.match(errors[0]!, message);
  assert.ok(stats.errors[kind] >= 5, `${stats.errors[kind]}`);
  assert.ok(stats.breakerOpened >= 1);
  await heal();
  assert.equal(await untilCounted(store, 'a'), 2);
  assert.equal(stats.errors.garbage + stats.errors.other_error, 0);
}

peerTest('redis-server', 'out of memory', async (binary) => {
  const redis = await startRedis(binary, 0, ['--maxmemory-policy', 'noeviction']);
  const opened = await openRedisStore(redis.port, short);
  const admin = operator(redis);
  try {
    assert.equal(await addTo(opened.store, 'a'), 1);
    // Less than any Redis needs for itself: with a megabyte it depends on the buffers of the moment.
    await admin.config('SET', 'maxmemory', '1');
    await failsAs(opened, 'oom', /^redis: OOM /, async () => await admin.config('SET', 'maxmemory', '0'));
  } finally {
    admin.disconnect();
    opened.store.close();
    await redis.program.stop();
  }
});

peerTest('redis-server', 'a disk that cannot be written', async (binary) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const redis = await startRedis(binary, 0, ['--dir', directory]);
  const opened = await openRedisStore(redis.port, short);
  const admin = operator(redis);
  try {
    assert.equal(await addTo(opened.store, 'a'), 1);
    await admin.config('SET', 'save', '3600 1000000');
    mkdirSync(join(directory, 'dump.rdb'));
    await admin.bgsave();
    await redis.program.until(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'));
    await failsAs(
      opened,
      'misconf',
      /^redis: MISCONF /,
      async () => await admin.config('SET', 'stop-writes-on-bgsave-error', 'no'),
    );
  } finally {
    admin.disconnect();
    opened.store.close();
    await redis.program.stop('SIGKILL');
    rmSync(directory, { recursive: true });
  }
});

peerTest('redis-server', 'a user who lost the permission', async (binary) => {
  const redis = await startRedis(binary);
  const admin = operator(redis);
  await admin.acl('SETUSER', 'limits', 'on', '>secret', '~*', '+@all');
  const opened = await openRedisStore(redis.port, short, { auth: 'limits:secret' });
  try {
    assert.equal(await addTo(opened.store, 'a'), 1);
    await admin.acl('SETUSER', 'limits', '-incrby');
    await failsAs(opened, 'noauth', /^redis: NOPERM /, async () => await admin.acl('SETUSER', 'limits', '+incrby'));
  } finally {
    admin.disconnect();
    opened.store.close();
    await redis.program.stop();
  }
});

peerTest('redis-server', 'a restart that takes a while to load', async (binary) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const first = await startRedis(binary, 0, ['--dir', directory, '--rdbcompression', 'no']);
  const opened = await openRedisStore(first.port, short);
  let second: TestRedis | null = null;
  try {
    assert.equal(await addTo(opened.store, 'a'), 1);
    const admin = operator(first);
    for (let i = 0; i < 300; i++) await admin.set(`k${i}`, 'x'.repeat(1500));
    await admin.save();
    admin.disconnect();
    await first.program.stop('SIGKILL');
    await assert.rejects(addTo(opened.store, 'a'), /^Error: redis: /);
    // Half a minute, unless it is told to go on.
    const slow = ['--dir', directory, '--key-load-delay', '100000', '--loading-process-events-interval-bytes', '1024'];
    second = await startRedis(binary, first.port, slow);
    const admin2 = operator(second);
    await second.program.until(() => opened.stats.reconnects > 0);
    await failsAs(opened, 'loading', /^redis: (LOADING|not )/, async () => {
      await admin2.config('SET', 'key-load-delay', '0');
    });
    admin2.disconnect();
  } finally {
    opened.store.close();
    await first.program.stop('SIGKILL');
    await second?.program.stop('SIGKILL');
    rmSync(directory, { recursive: true });
  }
});

peerTest(
  'redis-server',
  'kill -9 of Redis under load: it goes on by itself from what Redis has then',
  async (binary) => {
    const redis = await startRedis(binary);
    const { store, stats } = await openRedisStore(redis.port, short);
    let second: TestRedis | null = null;
    try {
      let turns = 0;
      let over = false;
      const load = addUntil(
        store,
        'a',
        () => {
          turns++;
          return over;
        },
        8,
      );
      await until(() => turns > 20);
      await redis.program.stop('SIGKILL');
      await until(() => stats.errors.disconnected > 50);
      second = await startRedis(binary, redis.port);
      await untilCounted(store, 'b');
      over = true;
      const { counts, errors } = await load;
      assert.ok(counts.length > 0 && errors.length > 0);
      const now = await untilCounted(store, 'a');
      assert.ok(now <= counts.length + errors.length + 1, `${now}`);
      assert.equal(store.healthy, true);
    } finally {
      store.close();
      await redis.program.stop('SIGKILL');
      await second?.program.stop();
    }
  },
);
