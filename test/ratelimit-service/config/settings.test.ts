import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from '#ratelimit/config/duration.ts';
import { readSettings } from '#ratelimit/config/settings.ts';

test('defaults are the reference service’s', () => {
  const settings = readSettings({});
  assert.equal(settings.GRPC_PORT, 8081);
  assert.equal(settings.EXPIRATION_JITTER_MAX_SECONDS, 300);
  assert.equal(settings.redis.socketType, 'unix');
  assert.equal(settings.redis.timeoutMs, 10_000);
  assert.equal(settings.redisPerSecond, null);
  assert.equal(settings.RUNTIME_WATCH_ROOT, true);
});

test('the environment is read in Go’s spellings', () => {
  const settings = readSettings({
    USE_STATSD: 'f',
    REDIS_PERSECOND: '1',
    REDIS_TYPE: 'CLUSTER',
    REDIS_TIMEOUT: '1m30s',
  });
  assert.equal(settings.USE_STATSD, false);
  assert.equal(settings.redis.type, 'cluster');
  assert.equal(settings.redis.timeoutMs, 90_000);
  assert.equal(settings.redisPerSecond!.type, 'single');
});

test('every problem is named', () => {
  const env = {
    PORT: '99999',
    USE_STATSD: '',
    SHADOW_MODE: 'maybe',
    STATS_FLUSH_INTERVAL: '10',
    BACKEND_TYPE: 'memcache',
  };
  assert.throws(
    () => readSettings(env),
    (error: Error) => {
      for (const name of Object.keys(env)) assert.ok(error.message.includes(`${name}=`), `${name}: ${error.message}`);
      return true;
    },
  );
  assert.throws(() => readSettings({ USE_PROMETHEUS: 'true' }), /more than one stats sink/);
  assert.throws(() => readSettings({ REDIS_TYPE: 'sentinel', REDIS_URL: 'm' }), /Expected master name/);
});

test('durations', () => {
  const cases: readonly [string, number | null][] = [
    ['0', 0],
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['250ms', 250],
    ['10', null],
    ['', null],
    ['-1s', null],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});

test('what is set and cannot be meant is told', () => {
  const notices = (env: Readonly<Record<string, string>>): readonly string[] => readSettings(env).notices;
  assert.deepEqual(
    notices({ REDIS_CALL_TIMOUT: '5s', REDIS_PORT: 'tcp://10.0.0.1:6379', HOSTNAME: 'a', GRPC_TRACE: 'all' }),
    ['REDIS_CALL_TIMOUT is not a setting and has no effect; did you mean REDIS_CALL_TIMEOUT?'],
  );
  assert.match(
    notices({ REDIS_URL: 'localhost:6379' }).join(),
    /path of a socket; for an address set REDIS_SOCKET_TYPE=tcp/,
  );
  assert.deepEqual(notices({ REDIS_URL: 'localhost:6379', BACKEND_TYPE: 'memory' }), []);
  assert.deepEqual(notices({ REDIS_URL: 'localhost:6379', REDIS_SOCKET_TYPE: 'tcp' }), []);
  assert.deepEqual(notices({ REDIS_URL: '/run/redis.sock' }), []);
  assert.match(notices({ ADMIN_AUDIT_LOG: '/var/log/audit' }).join(), /no effect: without ADMIN_TOKEN_FILE/);
});

test('a wrong value is shown, but no secret', () => {
  const problem = (env: Readonly<Record<string, string>>): string => {
    try {
      readSettings(env);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.equal(
    problem({ CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: 'geheim' }),
    'CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS=*** is not a list such as name:value,name:value',
  );
  const tcp = { REDIS_SOCKET_TYPE: 'tcp' };
  assert.equal(
    problem({ ...tcp, REDIS_URL: 'redis://ann:geheim@h:x' }),
    'REDIS_URL: ***@h:x has no port from 1 to 65535',
  );
  assert.equal(
    problem({ REDIS_TYPE: 'cluster', REDIS_URL: 'a:1,b:70000' }),
    'REDIS_URL: b:70000 has no port from 1 to 65535',
  );
  assert.equal(problem({ REDIS_TYPE: 'sentinel', REDIS_URL: 'mine:x,a:1' }), '');
  assert.equal(problem({ ...tcp, REDIS_URL: '[::1]:6379' }), '');
  assert.equal(problem({ ...tcp, REDIS_URL: 'redis' }), '');
});
