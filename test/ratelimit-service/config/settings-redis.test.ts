import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from '#ratelimit/config/settings.ts';

test('defaults', () => {
  const settings = readSettings({});
  assert.deepEqual(
    [settings.FAILURE_MODE, settings.REDIS_CALL_TIMEOUT, settings.REDIS_MAX_IN_FLIGHT, settings.redis.timeoutMs],
    ['error', 50, 10_000, 10_000],
  );
  assert.deepEqual(settings.notices, []);
});

test('what has no effect is said', () => {
  const { notices } = readSettings({
    REDIS_POOL_SIZE: '20',
    REDIS_PIPELINE_WINDOW: '150us',
    REDIS_PIPELINE_LIMIT: '8',
    REDIS_CLUSTER_PIPELINE_PARALLELISM: '0',
    REDIS_PERSECOND_POOL_SIZE: '5',
    REDIS_POOL_ON_EMPTY_BEHAVIOR: 'wait',
    MEMCACHE_HOST_PORT: 'localhost:11211',
  });
  assert.deepEqual(
    notices.map((notice) => notice.split(' has no effect here: ')[0]),
    [
      'REDIS_POOL_SIZE=20',
      'REDIS_PIPELINE_WINDOW=150us',
      'REDIS_PIPELINE_LIMIT=8',
      'REDIS_CLUSTER_PIPELINE_PARALLELISM=0',
      'REDIS_PERSECOND_POOL_SIZE=5',
      'MEMCACHE_HOST_PORT',
    ],
  );
});

const sentinels = /Expected master name and a list of urls for the sentinels/;

test('sentinel wants a name and sentinels, for both', () => {
  assert.throws(() => readSettings({ REDIS_TYPE: 'Sentinel', REDIS_URL: 'mymaster' }), sentinels);
  const second = { REDIS_PERSECOND_TYPE: 'SENTINEL', REDIS_PERSECOND_URL: 'mymaster' };
  assert.throws(() => readSettings({ ...second, REDIS_PERSECOND: 'true' }), sentinels);
  assert.equal(readSettings(second).redisPerSecond, null);
  assert.equal(readSettings({ REDIS_TYPE: 'SENTINEL', REDIS_URL: 'mymaster,a:1,b:2' }).redis.type, 'sentinel');
});

const refused: readonly (readonly [name: string, value: string, message: RegExp])[] = [
  ['BACKEND_TYPE', 'memcache', /^BACKEND_TYPE=memcache is not supported: /],
  ['BACKEND_TYPE', 'etcd', /^BACKEND_TYPE=etcd is neither redis nor memory$/],
  ['REDIS_POOL_ON_EMPTY_BEHAVIOR', 'CREATE', /^REDIS_POOL_ON_EMPTY_BEHAVIOR=CREATE is not supported: /],
  ['REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR', 'error', /^REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR=error is not supported/],
  ['REDIS_CLUSTER_PIPELINE_PARALLELISM', '-1', /^REDIS_CLUSTER_PIPELINE_PARALLELISM=-1 is not a number$/],
  ['REDIS_CALL_TIMEOUT', '0s', /^REDIS_CALL_TIMEOUT=0s must be more than 0$/],
  ['REDIS_CALL_TIMEOUT', '50', /^REDIS_CALL_TIMEOUT=50 is not a duration/],
  ['REDIS_MAX_IN_FLIGHT', '0', /^REDIS_MAX_IN_FLIGHT=0 must be at least 1$/],
  ['REDIS_BREAKER_FAILURE_SHARE', '1.5', /^REDIS_BREAKER_FAILURE_SHARE=1.5 is not a number from 0 to 1$/],
  ['FAILURE_MODE', 'deny', /^FAILURE_MODE=deny is none of error, open, closed, local$/],
  ['LOCAL_FALLBACK_REPLICAS', '0', /^LOCAL_FALLBACK_REPLICAS=0 is not a number from 1 to 1000000$/],
];

for (const [name, value, message] of refused) {
  test(`refused: ${name}=${value}`, () => {
    assert.throws(
      () => readSettings({ [name]: value }),
      ({ message: said }: Error) => message.test(said),
    );
  });
}
