import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Redis } from 'ioredis';
import { Logger } from '#gateway/base/log.ts';
import { createRedisClient } from '#ratelimit/store/connect-redis.ts';

const target = {
  type: 'single',
  socketType: 'tcp',
  auth: '',
  sentinelAuth: '',
  tls: null,
  timeoutMs: 100,
} as const;
const log = new Logger('redis', { write: () => {} }, 'off');

const cases: readonly (readonly [url: string, auth: string, expected: readonly unknown[]])[] = [
  ['cache:6380', '', ['cache', 6380, null, null]],
  ['redis://cache', 'secret', ['cache', 6379, null, 'secret']],
  ['redis://ann:pa:ss/word@cache:6380', '', ['cache', 6380, 'ann', 'pa:ss/word']],
  ['redis://ann:word@cache:6380', 'bob:other', ['cache', 6380, 'bob', 'other']],
];

for (const [url, auth, expected] of cases) {
  test(`REDIS_URL ${url} with REDIS_AUTH '${auth}'`, () => {
    const client = createRedisClient({ ...target, url, auth }, log) as Redis;
    const { host, port, username, password } = client.options;
    assert.deepEqual([host, port, username ?? null, password ?? null], expected);
    client.disconnect();
  });
}
