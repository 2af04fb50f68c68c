import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readSettings, settingNames } from '#ratelimit/config/settings.ts';
import { credentials } from '#ratelimit/store/redis-target.ts';
import { freePorts } from '#test/support/running-program.ts';
import { limitFolder, ownService, startService } from './support/running-service.ts';

const folder = new URL('./', import.meta.url);
const docs = new URL('../../docs/', import.meta.url);
const read = (url: URL): string => readFileSync(fileURLToPath(url), 'utf8');

/** The cells of the tables of a Markdown text, without headings. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first !== 'the reference' && first !== 'variables');
}

test('a password may contain colons', () => {
  assert.deepEqual(credentials('ann:pa:ss:word'), { username: 'ann', password: 'pa:ss:word' });
});

test('the debug port is on the loopback, and nothing is served there that tells about the process', async () => {
  assert.equal(readSettings({}).DEBUG_HOST, '127.0.0.1');
  const limits = limitFolder({ 'a.yaml': 'domain: d' });
  const [prometheus = 0] = await freePorts(1);
  const { program, debug } = await startService(ownService(), limits.root, 0, {
    BACKEND_TYPE: 'memory',
    USE_PROMETHEUS: 'true',
    PROMETHEUS_ADDR: `127.0.0.1:${prometheus}`,
  });
  try {
    const status = async (port: number, path: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    assert.equal(await status(prometheus, '/metrics'), 200);
    assert.equal(await status(debug, '/rlconfig'), 200);
    for (const path of ['/debug/pprof/', '/debug/pprof/heap', '/debug/vars']) {
      assert.equal(await status(prometheus, path), 404, path);
      assert.equal(await status(debug, path), 404, path);
    }
  } finally {
    await program.stop();
    limits.remove();
  }
});

test('docs/ratelimit-differences.md: every row names a test that exists', () => {
  const all = rows(read(new URL('ratelimit-differences.md', docs)));
  assert.ok(all.length > 20);
  for (const [reference = '', , named = ''] of all) {
    const [, file = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(named) ?? [];
    const url = new URL(file, folder);
    assert.ok(file !== '' && existsSync(fileURLToPath(url)), `${reference}: ${named}`);
    assert.ok(read(url).includes(title), `${file} has no test '${title}'`);
  }
});

/** The reference's variables, of all builds. */
const referenceNames: readonly string[] = [
  'BACKEND_TYPE CACHE_KEY_PREFIX CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS CONFIG_GRPC_XDS_CLIENT_TLS_CERT',
  'CONFIG_GRPC_XDS_CLIENT_TLS_KEY CONFIG_GRPC_XDS_NODE_ID CONFIG_GRPC_XDS_NODE_METADATA',
  'CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL CONFIG_GRPC_XDS_SERVER_TLS_CACERT',
  'CONFIG_GRPC_XDS_SERVER_TLS_SAN CONFIG_GRPC_XDS_SERVER_URL CONFIG_GRPC_XDS_SERVER_USE_TLS CONFIG_TYPE',
  'DEBUG_HOST DEBUG_PORT DISABLE_STATS EXPIRATION_JITTER_MAX_SECONDS EXTRA_TAGS',
  'FORCE_START_WITHOUT_INITIAL_CONFIG GRPC_CLIENT_TLS_CACERT GRPC_CLIENT_TLS_SAN GRPC_HOST',
  'GRPC_MAX_CONNECTION_AGE GRPC_MAX_CONNECTION_AGE_GRACE GRPC_PORT GRPC_SERVER_TLS_CERT GRPC_SERVER_TLS_KEY',
  'GRPC_SERVER_USE_TLS GRPC_UDS HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED HOST LIMIT_LIMIT_HEADER',
  'LIMIT_REMAINING_HEADER LIMIT_RESET_HEADER LIMIT_RESPONSE_HEADERS_ENABLED LOCAL_CACHE_SIZE_IN_BYTES',
  'LOG_FORMAT LOG_LEVEL MEMCACHE_HOST_PORT MEMCACHE_MAX_IDLE_CONNS MEMCACHE_SRV MEMCACHE_SRV_REFRESH',
  'MEMCACHE_TLS MEMCACHE_TLS_CACERT MEMCACHE_TLS_CLIENT_CERT MEMCACHE_TLS_CLIENT_KEY',
  'MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION MERGE_DOMAIN_CONFIG NEAR_LIMIT_RATIO PORT PROMETHEUS_ADDR',
  'PROMETHEUS_MAPPER_YAML PROMETHEUS_PATH PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS QUOTA_MODE REDIS_AUTH',
  'REDIS_CLUSTER_PIPELINE_PARALLELISM REDIS_HEALTH_CHECK_ACTIVE_CONNECTION REDIS_PERSECOND REDIS_PERSECOND_AUTH',
  'REDIS_PERSECOND_PIPELINE_LIMIT REDIS_PERSECOND_PIPELINE_WINDOW REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR',
  'REDIS_PERSECOND_POOL_SIZE REDIS_PERSECOND_SENTINEL_AUTH REDIS_PERSECOND_SOCKET_TYPE REDIS_PERSECOND_TIMEOUT',
  'REDIS_PERSECOND_TLS REDIS_PERSECOND_TYPE REDIS_PERSECOND_URL REDIS_PIPELINE_LIMIT REDIS_PIPELINE_WINDOW',
  'REDIS_POOL_ON_EMPTY_BEHAVIOR REDIS_POOL_SIZE REDIS_SENTINEL_AUTH REDIS_SOCKET_TYPE',
  'REDIS_STARTUP_INITIAL_INTERVAL REDIS_STARTUP_MAX_ELAPSED_TIME REDIS_STARTUP_MAX_INTERVAL REDIS_TIMEOUT',
  'REDIS_TLS REDIS_TLS_CACERT REDIS_TLS_CLIENT_CERT REDIS_TLS_CLIENT_KEY REDIS_TLS_SKIP_HOSTNAME_VERIFICATION',
  'REDIS_TYPE REDIS_URL RESPONSE_DYNAMIC_METADATA RUNTIME_APPDIRECTORY RUNTIME_IGNOREDOTFILES RUNTIME_ROOT',
  'RUNTIME_SUBDIRECTORY RUNTIME_WATCH_ROOT SHADOW_MODE STATSD_HOST STATSD_PORT STATS_FLUSH_INTERVAL',
  'STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT TRACING_ENABLED TRACING_EXPORTER_PROTOCOL TRACING_SAMPLING_RATE',
  'TRACING_SERVICE_INSTANCE_ID TRACING_SERVICE_NAME TRACING_SERVICE_NAMESPACE USE_DOG_STATSD',
  'USE_DOG_STATSD_MOGRIFIERS USE_PROMETHEUS USE_STATSD XDS_CLIENT_BACKOFF_INITIAL_INTERVAL',
  'XDS_CLIENT_BACKOFF_JITTER XDS_CLIENT_BACKOFF_MAX_INTERVAL XDS_CLIENT_BACKOFF_RANDOM_FACTOR',
  'XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES',
].flatMap((line) => line.split(' '));

test('docs/ratelimit.md: the table of variables is whole, and says what becomes of each', () => {
  const text = read(new URL('ratelimit.md', docs));
  const from = text.indexOf('## Moving from');
  const section = text.slice(from, text.indexOf('\n## ', from));
  const known = new Set(settingNames());
  const listed: string[] = [];
  for (const [names = '', status] of rows(section)) {
    for (const [, name = ''] of names.matchAll(/`([A-Z_0-9]+)`/g)) {
      listed.push(name);
      if (status === 'supported') {
        assert.ok(known.has(name), `${name} is not supported`);
      } else if (status === 'no effect') {
        const { notices } = readSettings({ [name]: '1' });
        assert.ok(notices.length === 1 && notices[0]!.startsWith(name), `${name}: ${notices.join()}`);
      } else {
        assert.equal(status, 'refused');
        assert.throws(() => readSettings({ [name]: 'CREATE' }), new RegExp(name));
      }
    }
  }
  assert.deepEqual(listed.sort(), [...referenceNames].sort());
});
