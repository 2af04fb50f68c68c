import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { RawStream } from '../quota/support/quota-world.ts';
import { startCluster } from '../support/redis-cluster.ts';
import { type StartedService, startService } from '../support/start-service.ts';

const token = 'kQ3vT9pXw7LmZ2Rb5NdC8yHs';
const rules = `domain: d
descriptors:
  - { key: ip, rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: slow, rate_limit: { unit: hour, requests_per_unit: 2, algorithm: sliding_window } }
  - { key: bucket, rate_limit: { unit: hour, requests_per_unit: 2, algorithm: gcra, burst: 3 } }
  - { key: flight, rate_limit: { unit: hour, requests_per_unit: 2, algorithm: concurrency } }
`;

/** Waits for something that others do at intervals. */
async function until(what: string, ready: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await ready()) return;
    await delay(20);
  }
  throw new Error(`${what}: not within ten seconds`);
}

/** One of several services on a Redis. */
class Instance {
  readonly client: RateLimitClient;
  readonly started: StartedService;

  constructor(started: StartedService) {
    this.started = started;
    this.client = new RateLimitClient(`127.0.0.1:${started.service.grpcPort}`);
  }

  async code(text: string): Promise<number> {
    return (await this.client.ask('d', text)).overallCode;
  }

  async admin(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await fetch(`http://127.0.0.1:${this.started.service.debugPort}/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, ...((await answer.json()) as object) };
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.started.service.close();
  }
}

async function withInstances(
  binary: string,
  env: Readonly<Record<string, string>>,
  work: (a: Instance, b: Instance, redis: TestRedis) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-notes-'));
  mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
  writeFileSync(join(directory, 'rl', 'config', 'a.yaml'), rules);
  writeFileSync(join(directory, 'token'), token, { mode: 0o600 });
  const redis = await startRedis(binary);
  const instances: Instance[] = [];
  try {
    for (let i = 0; i < 2; i++) {
      const started = await startService({
        BACKEND_TYPE: 'redis',
        REDIS_SOCKET_TYPE: 'tcp',
        REDIS_URL: `127.0.0.1:${redis.port}`,
        REDIS_CALL_TIMEOUT: '2s',
        RUNTIME_ROOT: directory,
        RUNTIME_SUBDIRECTORY: 'rl',
        RUNTIME_WATCH_ROOT: 'false',
        ADMIN_TOKEN_FILE: join(directory, 'token'),
        EXEMPTION_POLL_INTERVAL: '100ms',
        ...env,
      });
      instances.push(new Instance(started));
    }
    await work(instances[0]!, instances[1]!, redis);
  } finally {
    for (const instance of instances) await instance.stop();
    await redis.program.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const ip = (value: string): object => ({ domain: 'd', descriptor: [{ key: 'ip', value }] });

peerTest('redis-server', 'an exemption made at one instance holds at all on the same Redis', async (binary) => {
  await withInstances(binary, {}, async (a, b, redis) => {
    for (let i = 0; i < 4; i++) await a.code('ip=1');
    assert.equal(await b.code('ip=1'), 2);
    const made = await a.admin('POST', 'exempt', { ...ip('1'), for: '1h' });
    assert.equal(made['status'], 201);
    assert.equal(await a.code('ip=1'), 1);
    await until('the other instance knows it', async () => (await b.code('ip=1')) === 1);
    const listed = (await b.admin('GET', 'exempt'))['exemptions'] as { id: string }[];
    assert.equal(listed.length, 1);
    assert.equal((await b.admin('DELETE', `exempt/${listed[0]!.id}`))['status'], 200);
    assert.equal(await b.code('ip=1'), 2);
    await until('the first knows the end', async () => (await a.code('ip=1')) === 2);

    // What another program wrote does no harm, and Redis forgets the notes when the last one has ended.
    const client = new Redis(redis.port);
    try {
      await client.hset('sluice:notes', 'e:bad', '99999999999999 {', 'version', 'x');
      await a.admin('POST', 'exempt', { ...ip('2'), for: '1s' });
      assert.ok((await client.pttl('sluice:notes')) > 0);
      await until('it ends', async () => ((await b.admin('GET', 'exempt'))['exemptions'] as object[]).length === 0);
    } finally {
      client.disconnect();
    }
  });
});

peerTest('redis-server', 'there are at most 1,000 exemptions, and those that have ended make room', async (binary) => {
  await withInstances(binary, {}, async (a, _b, redis) => {
    const client = new Redis(redis.port);
    try {
      const pipeline = client.pipeline();
      for (let i = 0; i < 999; i++) pipeline.hset('sluice:notes', `e:${i}`, `${Date.now() + 60_000} {}`);
      pipeline.hset('sluice:notes', 'e:ended', '1 {}');
      await pipeline.exec();
      assert.equal((await a.admin('POST', 'exempt', { ...ip('1'), for: '1m' }))['status'], 201);
      assert.equal(await client.hexists('sluice:notes', 'e:ended'), 0);
      const refused = await a.admin('POST', 'exempt', { ...ip('2'), for: '1m' });
      assert.deepEqual(
        [refused['status'], refused['error']],
        [409, 'there are 1000 exemptions, which is all there may be'],
      );
    } finally {
      client.disconnect();
    }
  });
});

peerTest('redis-server', 'a reset reaches the local caches of all instances', async (binary) => {
  await withInstances(binary, { LOCAL_CACHE_SIZE_IN_BYTES: '1000000' }, async (a, b) => {
    for (let i = 0; i < 3; i++) await a.code('ip=1');
    assert.equal(await b.code('ip=1'), 2);
    const peeked = await b.admin('POST', 'peek', ip('1'));
    assert.equal((peeked['limits'] as { over_by_local_cache: boolean }[])[0]!.over_by_local_cache, true);
    const reset = await a.admin('POST', 'reset', ip('1'));
    assert.equal(reset['others_within_ms'], 100);
    assert.equal(await a.code('ip=1'), 1);
    await until('the other cache has forgotten it', async () => {
      const { limits } = (await b.admin('POST', 'peek', ip('1'))) as { limits?: { over_by_local_cache: boolean }[] };
      return limits![0]!.over_by_local_cache === false;
    });
    assert.equal(await b.code('ip=1'), 1);
    assert.equal(await a.code('ip=1'), 2);
  });
});

peerTest('redis-server', 'a reset reaches what every instance counted while Redis was away', async (binary) => {
  const env = { FAILURE_MODE: 'local', REDIS_CALL_TIMEOUT: '100ms' };
  await withInstances(binary, env, async (a, b, redis) => {
    // Each of them once over by its own count, so that a fresh count is told from it by the first answer.
    redis.program.signal('SIGSTOP');
    for (const each of [a, b]) for (let i = 0; i < 4; i++) await each.code('ip=1');
    assert.deepEqual([await a.code('ip=1'), await b.code('ip=1')], [2, 2]);
    const failed = await a.admin('POST', 'reset', ip('1'));
    assert.equal(failed['status'], 503);
    assert.match(String(failed['error']), /deleted is only what this instance had counted by itself/);
    assert.deepEqual([await a.code('ip=1'), await b.code('ip=1')], [1, 2]);
    for (let i = 0; i < 3; i++) await a.code('ip=1');
    redis.program.signal('SIGCONT');

    for (const each of [a, b]) {
      await until('Redis is back', async () => (await each.admin('POST', 'peek', ip('1')))['status'] === 200);
    }
    assert.equal((await a.admin('POST', 'reset', ip('1')))['others_within_ms'], 100);
    // What comes behind a note is known with it.
    assert.equal((await a.admin('POST', 'exempt', { ...ip('2'), for: '1h' }))['status'], 201);
    const listed = async (): Promise<unknown[]> => (await b.admin('GET', 'exempt'))['exemptions'] as unknown[];
    await until('the notes are read', async () => (await listed()).length === 1);
    redis.program.signal('SIGSTOP');
    assert.deepEqual([await a.code('ip=1'), await b.code('ip=1')], [1, 1]);
    redis.program.signal('SIGCONT');
  });
});

peerTest('redis-server', 'exemptions and resets reach the quota streams of all instances', async (binary) => {
  await withInstances(binary, {}, async (a, b, redis) => {
    const path = '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas';
    const streams = [a, b].map((each) => new RawStream({ service: each.started.service.grpc.methods.find(path)! }));
    const told = (i: number, what: RegExp): Promise<void> =>
      until(`stream ${i} is told ${what}`, () => what.test(streams[i]!.told.at(-1) ?? ''));
    for (const [i, stream] of streams.entries()) {
      stream.report('d', ['ip=1', 3, 0]);
      await told(i, /deny/);
    }
    assert.equal((await a.admin('POST', 'exempt', { ...ip('1'), for: '1h' }))['status'], 201);
    for (const i of [0, 1]) await told(i, /allow/);
    const [{ id }] = (await b.admin('GET', 'exempt'))['exemptions'] as [{ id: string }];
    assert.equal((await b.admin('DELETE', `exempt/${id}`))['status'], 200);
    for (const i of [0, 1]) await told(i, /deny/);
    assert.equal((await a.admin('POST', 'reset', ip('1')))['status'], 200);
    await until('one of them is told', () => streams.some(({ told: all }) => /^ip=1: \d \+ 1/.test(all.at(-1)!)));
    const client = new Redis(redis.port);
    try {
      const [counter] = await client.keys('d_ip_1_*');
      assert.ok(Number(await client.get(counter!)) <= 2);
    } finally {
      client.disconnect();
    }
  });
});

peerTest('redis-server', 'peek and reset of every algorithm, without counting or making a key', async (binary) => {
  await withInstances(binary, {}, async (a, b, redis) => {
    const client = new Redis(redis.port);
    try {
      for (const { key, capacity } of [
        { key: 'ip', capacity: 2 },
        { key: 'slow', capacity: 2 },
        { key: 'bucket', capacity: 3 },
        { key: 'flight', capacity: 2 },
      ]) {
        const body = { domain: 'd', descriptor: [{ key, value: '1' }] };
        const look = async (): Promise<unknown[]> => {
          const [limit] = (await b.admin('POST', 'peek', body))['limits'] as Record<string, unknown>[];
          return [limit!['used'], limit!['remaining'], limit!['capacity'], limit!['over_limit']];
        };
        assert.deepEqual(await look(), [0, capacity, capacity, false], key);
        assert.deepEqual(await client.keys(`*${key}*`), [], key);
        for (let i = 0; i < capacity; i++) await a.code(`${key}=1`);
        assert.deepEqual(await look(), [capacity, 0, capacity, true], key);
        assert.deepEqual(await look(), [capacity, 0, capacity, true], key);
        assert.equal(await a.code(`${key}=1`), 2, key);
        const [counter] = (await b.admin('POST', 'reset', body))['counters'] as { key: string; existed: boolean }[];
        assert.equal(counter!.existed, true, key);
        assert.deepEqual(await client.keys(`*${key}*`), [], key);
        assert.deepEqual(await look(), [0, capacity, capacity, false], key);
        assert.equal(await a.code(`${key}=1`), 1, key);
      }
    } finally {
      client.disconnect();
    }
  });
});

peerTest('redis-server', 'a Redis that hangs: writes end with an error, exemptions stay', async (binary) => {
  await withInstances(binary, { FAILURE_MODE: 'closed' }, async (a, _b, redis) => {
    assert.equal((await a.admin('POST', 'exempt', { ...ip('1'), for: '1h' }))['status'], 201);
    redis.program.signal('SIGSTOP');
    try {
      const hung = await a.admin('POST', 'exempt', { ...ip('2'), for: '1h' });
      assert.equal(hung['status'], 503);
      assert.equal(await a.code('ip=1'), 1);
    } finally {
      redis.program.signal('SIGCONT');
    }
    await until('it answers again', async () => (await a.admin('POST', 'peek', ip('2')))['status'] === 200);
  });
});

peerTest('redis-server', 'while Redis is away exemptions stay in force, and writes say so', async (binary) => {
  await withInstances(binary, { FAILURE_MODE: 'closed' }, async (a, _b, redis) => {
    assert.equal((await a.admin('POST', 'exempt', { ...ip('1'), for: '1h' }))['status'], 201);
    await redis.program.stop();
    await until('it is noticed', () => a.started.lines.some((line) => line.includes('Redis cannot be asked for them')));
    assert.equal(await a.code('ip=1'), 1);
    assert.equal((await a.admin('POST', 'reset', ip('1')))['status'], 503);
    assert.equal((await a.admin('POST', 'peek', ip('1')))['status'], 503);
    assert.equal((await a.admin('POST', 'exempt', { ...ip('2'), for: '1h' }))['status'], 503);
    const back = await startRedis(binary, redis.port);
    try {
      await until(
        'it is back',
        async () => (await a.admin('POST', 'exempt', { ...ip('2'), for: '1h' }))['status'] === 201,
      );
    } finally {
      await back.program.stop();
    }
  });
});

peerTest(
  'redis-server',
  'in a cluster exemptions are shared too, and every counter is reset where it lies',
  async (binary) => {
    const cluster = await startCluster(binary);
    const url = cluster.nodes.map(({ redis }) => `127.0.0.1:${redis.port}`).join(',');
    try {
      await withInstances(binary, { REDIS_TYPE: 'CLUSTER', REDIS_URL: url }, async (a, b) => {
        for (let value = 0; value < 8; value++) {
          for (let i = 0; i < 3; i++) await a.code(`ip=${value}`);
          const [counter] = (await b.admin('POST', 'reset', ip(`${value}`)))['counters'] as { existed: boolean }[];
          assert.equal(counter!.existed, true);
          assert.equal(await a.code(`ip=${value}`), 1);
        }
        for (let i = 0; i < 3; i++) await a.code('ip=1');
        assert.equal((await a.admin('POST', 'exempt', { ...ip('1'), for: '1h' }))['status'], 201);
        await until('the other instance knows it', async () => (await b.code('ip=1')) === 1);
      });
    } finally {
      await cluster.stop();
    }
  },
);
