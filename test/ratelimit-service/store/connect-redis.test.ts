import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Redis } from 'ioredis';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { createRedisClient } from '#ratelimit/store/connect-redis.ts';
import { redisTarget, silentLog } from '../support/open-redis-store.ts';

const reconnect = new JitteredBackoff(10, 10, createSeededRandom(1));

const cases: readonly (readonly [url: string, auth: string, expected: readonly unknown[]])[] = [
  ['cache:6380', '', ['cache', 6380, null, null]],
  ['redis://cache', 'secret', ['cache', 6379, null, 'secret']],
  ['redis://ann:pa:ss/word@cache:6380', '', ['cache', 6380, 'ann', 'pa:ss/word']],
  ['redis://ann:word@cache:6380', 'bob:other', ['cache', 6380, 'bob', 'other']],
];

for (const [url, auth, expected] of cases) {
  test(`REDIS_URL ${url} with REDIS_AUTH '${auth}'`, () => {
    const client = createRedisClient(redisTarget({ url, auth }), silentLog, reconnect) as Redis;
    const { host, port, username, password } = client.options;
    assert.deepEqual([host, port, username ?? null, password ?? null], expected);
    client.disconnect();
  });
}
