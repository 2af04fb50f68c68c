import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';
import { limitFolder } from '../support/running-service.ts';
import { startService } from '../support/start-service.ts';

const files = {
  'c.yaml': `
domain: d
descriptors:
  - { key: second, rate_limit: { unit: second, requests_per_unit: 1000 } }
  - { key: minute, rate_limit: { unit: minute, requests_per_unit: 1000 } }
  - { key: bucket, rate_limit: { unit: second, requests_per_unit: 1000, algorithm: gcra } }
`,
};

const redisEnv = (port: number): Record<string, string> => ({
  BACKEND_TYPE: 'redis',
  REDIS_SOCKET_TYPE: 'tcp',
  REDIS_URL: `127.0.0.1:${port}`,
  REDIS_STARTUP_INITIAL_INTERVAL: '20ms',
  REDIS_STARTUP_MAX_INTERVAL: '20ms',
  RUNTIME_SUBDIRECTORY: 'rl',
});

peerTest(
  'redis-server',
  'a Redis that hangs or loads at the start is waited for, and no password is told',
  async (binary) => {
    const folder = limitFolder(files);
    const redis = await startRedis(binary, 0, ['--requirepass', 'geheim']);
    const env = {
      ...redisEnv(redis.port),
      REDIS_URL: `redis://default:geheim@127.0.0.1:${redis.port}`,
      REDIS_TIMEOUT: '100ms',
      RUNTIME_ROOT: folder.root,
    };
    redis.program.signal('SIGSTOP');
    let looks = 0;
    // Asked before each attempt: it hangs for the first three.
    const stopped = (): boolean => {
      if (++looks === 4) redis.program.signal('SIGCONT');
      return false;
    };
    try {
      const { service, lines } = await startService(env, stopped);
      try {
        const retries = lines.filter((line) => line.includes('Retrying Redis connection to '));
        assert.ok(retries.length >= 1);
        assert.ok(
          retries.some((line) => line.includes('no answer within 100 ms')),
          retries.join('\n'),
        );
        assert.ok(!lines.join('\n').includes('geheim'));
      } finally {
        await service.close();
      }
    } finally {
      redis.program.signal('SIGCONT');
      await redis.program.stop();
      folder.remove();
    }
  },
);

peerTest('redis-server', 'REDIS_STARTUP_MAX_ELAPSED_TIME ends the waiting', async () => {
  const folder = limitFolder(files);
  const [port = 0] = await freePorts(1);
  const env = { ...redisEnv(port), REDIS_STARTUP_MAX_ELAPSED_TIME: '50ms', RUNTIME_ROOT: folder.root };
  await assert.rejects(startService(env), /^Error: cannot reach redis at 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  folder.remove();
});

peerTest(
  'redis-server',
  'windows of a second have a Redis of their own, with a circuit and statistics of its own',
  async (binary) => {
    const folder = limitFolder(files);
    const [main, perSecond] = [await startRedis(binary), await startRedis(binary)];
    const { service } = await startService({
      ...redisEnv(main.port),
      REDIS_PERSECOND: 'true',
      REDIS_PERSECOND_SOCKET_TYPE: 'tcp',
      REDIS_PERSECOND_URL: `127.0.0.1:${perSecond.port}`,
      REDIS_CALL_TIMEOUT: '2s',
      RUNTIME_ROOT: folder.root,
    });
    const client = new RateLimitClient(`127.0.0.1:${service.grpcPort}`);
    const keysOf = async (port: number): Promise<string[]> => {
      const redis = new Redis(port, '127.0.0.1');
      const keys = await redis.keys('*');
      redis.disconnect();
      return keys.map((key) => key.replace(/_\d*$/, '')).sort();
    };
    try {
      await client.ask('d', 'second=a', 'minute=a', 'bucket=a');
      assert.deepEqual(await keysOf(main.port), ['d_minute_a']);
      assert.deepEqual(await keysOf(perSecond.port), ['d_second_a', 'g1:d_bucket_a']);
      await perSecond.program.stop('SIGKILL');
      await assert.rejects(client.ask('d', 'second=a'));
      await client.ask('d', 'minute=a');
      const [first, second] = service.stats.redis.pools;
      assert.deepEqual(
        [first!.name, first!.cxActive, second!.name, second!.cxActive],
        ['redis_pool', 1, 'redis_per_second_pool', 0],
      );
    } finally {
      client.close();
      await service.close();
      await main.program.stop();
      await perSecond.program.stop();
      folder.remove();
    }
  },
);

test('what has no effect is in the log', async () => {
  const folder = limitFolder(files);
  const { service, lines } = await startService({
    REDIS_POOL_SIZE: '20',
    MEMCACHE_HOST_PORT: 'a:1',
    RUNTIME_ROOT: folder.root,
    RUNTIME_SUBDIRECTORY: 'rl',
  });
  await service.close();
  folder.remove();
  const told = lines.filter((line) => line.includes(' has no effect here: '));
  assert.deepEqual(
    told.map((line) => line.split(' has no effect')[0]),
    ['warning REDIS_POOL_SIZE=20', 'warning MEMCACHE_HOST_PORT'],
  );
});
