import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { readSettings } from '#ratelimit/config/settings.ts';
import { needsStore } from '#ratelimit/service/store-need.ts';
import { peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';
import { until } from '#test/support/until.ts';
import { startCluster } from '../support/redis-cluster.ts';
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

/** `files` with a mode of their own. */
const withMode = (mode: string): Record<string, string> => ({
  'c.yaml': files['c.yaml'].replace('domain: d', `domain: d\nfailure_mode: ${mode}`),
});

for (const { name, given, env, answers } of [
  { name: 'FAILURE_MODE', given: files, env: { FAILURE_MODE: 'closed' }, answers: [2, 2] },
  { name: 'every domain', given: withMode('local'), env: {}, answers: [1, 1] },
] as const) {
  peerTest(
    'redis-server',
    `with a failure mode of ${name} a start does not wait, and connects later`,
    async (binary) => {
      const folder = limitFolder(given);
      const [port = 0] = await freePorts(1);
      const { service, lines } = await startService({ ...redisEnv(port), ...env, RUNTIME_ROOT: folder.root });
      const client = new RateLimitClient(`127.0.0.1:${service.grpcPort}`);
      const codes = async (): Promise<number[]> =>
        (await client.ask('d', 'minute=a', 'bucket=a')).statuses.map(({ code }) => code);
      try {
        assert.deepEqual(await codes(), answers);
        assert.equal(service.health.healthy, true);
        assert.ok(lines.some((line) => /^warning redis .* the service starts without it/.test(line)));
        const redis = await startRedis(binary, port);
        try {
          await until(() => lines.some((line) => /^warning redis 127\.0\.0\.1:\d+ answers$/.test(line)));
          for (let i = 0; i < 3; i++) assert.deepEqual(await codes(), [1, 1]);
          const own = new Redis(port, '127.0.0.1');
          const [key = ''] = await own.keys('d_minute_a_*');
          assert.equal(await own.get(key), '3');
          own.disconnect();
        } finally {
          await redis.program.stop();
        }
      } finally {
        client.close();
        await service.close();
        folder.remove();
      }
    },
  );
}

peerTest('redis-server', 'with REDIS_HEALTH_CHECK_ACTIVE_CONNECTION it is healthy once connected', async (binary) => {
  const folder = limitFolder(files);
  const [port = 0] = await freePorts(1);
  const env = { FAILURE_MODE: 'open', REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: 'true', RUNTIME_ROOT: folder.root };
  const { service } = await startService({ ...redisEnv(port), ...env });
  try {
    assert.equal(service.health.healthy, false);
    const redis = await startRedis(binary, port);
    await until(() => service.health.healthy);
    await redis.program.stop();
  } finally {
    await service.close();
    folder.remove();
  }
});

peerTest('redis-server', 'a cluster that hangs at the start is connected to when it wakes up', async (binary) => {
  const folder = limitFolder(withMode('closed'));
  const cluster = await startCluster(binary);
  const signal = (name: NodeJS.Signals): void => {
    for (const { redis } of cluster.nodes) redis.program.signal(name);
  };
  const url = cluster.nodes.map(({ redis }) => `127.0.0.1:${redis.port}`).join(',');
  signal('SIGSTOP');
  try {
    const env = { ...redisEnv(0), REDIS_TYPE: 'cluster', REDIS_URL: url, REDIS_TIMEOUT: '300ms' };
    const { service } = await startService({ ...env, RUNTIME_ROOT: folder.root });
    const client = new RateLimitClient(`127.0.0.1:${service.grpcPort}`);
    try {
      assert.equal((await client.ask('d', 'minute=a')).overallCode, 2);
      signal('SIGCONT');
      let code = 2;
      for (let i = 0; i < 500 && code !== 1; i++) {
        code = (await client.ask('d', 'minute=a')).overallCode;
        await new Promise((done) => setTimeout(done, 20));
      }
      assert.equal(code, 1);
    } finally {
      client.close();
      await service.close();
    }
  } finally {
    signal('SIGCONT');
    await cluster.stop();
    folder.remove();
  }
});

for (const [name, given, env] of [
  ['a domain without a mode', { ...withMode('open'), 'b.yaml': 'domain: e' }, {}],
  ['a domain that says error', withMode('error'), { FAILURE_MODE: 'local' }],
  ['no limits', {}, {}],
  ['limits with a mistake', { 'c.yaml': 'domain: d\nfailure_mode: open\nx: y' }, {}],
  ['REDIS_STARTUP_MAX_ELAPSED_TIME', withMode('open'), { REDIS_STARTUP_MAX_ELAPSED_TIME: '50ms' }],
] as const) {
  test(`a start waits for Redis with ${name}`, () => {
    const folder = limitFolder(given);
    try {
      const settings = readSettings({ RUNTIME_ROOT: folder.root, RUNTIME_SUBDIRECTORY: 'rl', ...env });
      assert.equal(needsStore(settings), true);
    } finally {
      folder.remove();
    }
  });
}

peerTest('redis-server', 'a service that started without Redis can be stopped', async () => {
  const folder = limitFolder(withMode('open'));
  const [port = 0] = await freePorts(1);
  const { service, lines } = await startService({ ...redisEnv(port), RUNTIME_ROOT: folder.root });
  await service.close();
  const told = lines.length;
  for (let i = 0; i < 10; i++) await new Promise((done) => setTimeout(done, 20));
  assert.equal(lines.length, told, 'it goes on trying');
  folder.remove();
});

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
