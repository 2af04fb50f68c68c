import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hiddenValue, readSettings, SettingsError, settingNames } from '#ratelimit/config/settings.ts';

/** Shapes of values. Set but empty, a text is empty and everything else is a mistake. */
type Shape = 'text' | 'bool' | 'int' | 'duration' | 'number' | 'pairs' | 'list' | 'choice';
/** What becomes of a variable. `no effect` is said in the log; `refused` ends the start unless it has the value given. */
type Fate = 'implemented' | 'no effect' | { readonly allowed: string; readonly refused: string };

type Row = readonly [name: string, shape: Shape, fallback: string | number | boolean | null, fate?: Fate];

/** Every variable that the reference service knows, with its default there; null where ours differs or has another form. */
const rows: readonly Row[] = [
  ['HOST', 'text', '0.0.0.0'],
  ['PORT', 'int', 8080],
  ['DEBUG_HOST', 'text', null],
  ['DEBUG_PORT', 'int', 6070],
  ['GRPC_UDS', 'text', ''],
  ['GRPC_HOST', 'text', '0.0.0.0'],
  ['GRPC_PORT', 'int', 8081],
  ['GRPC_MAX_CONNECTION_AGE', 'duration', 24 * 3_600_000],
  ['GRPC_MAX_CONNECTION_AGE_GRACE', 'duration', 3_600_000],
  ['GRPC_SERVER_USE_TLS', 'bool', false],
  ['GRPC_SERVER_TLS_CERT', 'text', ''],
  ['GRPC_SERVER_TLS_KEY', 'text', ''],
  ['GRPC_CLIENT_TLS_CACERT', 'text', ''],
  ['GRPC_CLIENT_TLS_SAN', 'text', ''],
  ['LOG_LEVEL', 'choice', 'warning'],
  ['LOG_FORMAT', 'text', 'text'],
  ['CONFIG_TYPE', 'choice', 'FILE'],
  ['FORCE_START_WITHOUT_INITIAL_CONFIG', 'bool', false],
  ['HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED', 'bool', false],
  ['MERGE_DOMAIN_CONFIG', 'bool', false],
  ['RUNTIME_ROOT', 'text', '/srv/runtime_data/current'],
  ['RUNTIME_SUBDIRECTORY', 'text', ''],
  ['RUNTIME_APPDIRECTORY', 'text', 'config'],
  ['RUNTIME_IGNOREDOTFILES', 'bool', false],
  ['RUNTIME_WATCH_ROOT', 'bool', true],
  ['CONFIG_GRPC_XDS_NODE_ID', 'text', 'default'],
  ['CONFIG_GRPC_XDS_NODE_METADATA', 'text', ''],
  ['CONFIG_GRPC_XDS_SERVER_URL', 'text', 'localhost:18000'],
  ['CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL', 'duration', 3000],
  ['CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS', 'pairs', null],
  ['CONFIG_GRPC_XDS_SERVER_USE_TLS', 'bool', false],
  ['CONFIG_GRPC_XDS_CLIENT_TLS_CERT', 'text', ''],
  ['CONFIG_GRPC_XDS_CLIENT_TLS_KEY', 'text', ''],
  ['CONFIG_GRPC_XDS_SERVER_TLS_CACERT', 'text', ''],
  ['CONFIG_GRPC_XDS_SERVER_TLS_SAN', 'text', ''],
  ['XDS_CLIENT_BACKOFF_INITIAL_INTERVAL', 'duration', 10_000],
  ['XDS_CLIENT_BACKOFF_MAX_INTERVAL', 'duration', 60_000],
  ['XDS_CLIENT_BACKOFF_RANDOM_FACTOR', 'number', 0.5],
  ['XDS_CLIENT_BACKOFF_JITTER', 'bool', true],
  ['XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES', 'int', 0],
  ['USE_STATSD', 'bool', true],
  ['STATSD_HOST', 'text', 'localhost'],
  ['STATSD_PORT', 'int', 8125],
  ['USE_DOG_STATSD', 'bool', false],
  ['USE_DOG_STATSD_MOGRIFIERS', 'list', null],
  ['EXTRA_TAGS', 'pairs', null],
  ['STATS_FLUSH_INTERVAL', 'duration', 10_000],
  ['DISABLE_STATS', 'bool', false],
  ['USE_PROMETHEUS', 'bool', false],
  ['PROMETHEUS_ADDR', 'text', ':9090'],
  ['PROMETHEUS_PATH', 'text', '/metrics'],
  ['PROMETHEUS_MAPPER_YAML', 'text', ''],
  ['PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS', 'bool', false],
  ['EXPIRATION_JITTER_MAX_SECONDS', 'int', 300],
  ['LOCAL_CACHE_SIZE_IN_BYTES', 'int', 0],
  ['NEAR_LIMIT_RATIO', 'number', 0.8],
  ['CACHE_KEY_PREFIX', 'text', ''],
  ['BACKEND_TYPE', 'text', 'redis'],
  ['STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT', 'bool', false],
  ['SHADOW_MODE', 'bool', false],
  ['QUOTA_MODE', 'bool', false],
  ['RESPONSE_DYNAMIC_METADATA', 'bool', false],
  ['LIMIT_RESPONSE_HEADERS_ENABLED', 'bool', false],
  ['LIMIT_LIMIT_HEADER', 'text', 'RateLimit-Limit'],
  ['LIMIT_REMAINING_HEADER', 'text', 'RateLimit-Remaining'],
  ['LIMIT_RESET_HEADER', 'text', 'RateLimit-Reset'],
  ...['REDIS_', 'REDIS_PERSECOND_'].flatMap((prefix): Row[] => [
    [`${prefix}SOCKET_TYPE`, 'choice', null],
    [`${prefix}TYPE`, 'choice', null],
    [`${prefix}URL`, 'text', null],
    [`${prefix}POOL_SIZE`, 'int', null, 'no effect'],
    [`${prefix}AUTH`, 'text', null],
    [`${prefix}TLS`, 'bool', null],
    [`${prefix}SENTINEL_AUTH`, 'text', null],
    [`${prefix}PIPELINE_WINDOW`, 'duration', null, 'no effect'],
    [`${prefix}PIPELINE_LIMIT`, 'int', null, 'no effect'],
    [`${prefix}TIMEOUT`, 'duration', null],
    [`${prefix}POOL_ON_EMPTY_BEHAVIOR`, 'text', null, { allowed: 'WAIT', refused: 'CREATE' }],
  ]),
  ['REDIS_PERSECOND', 'bool', false],
  ['REDIS_CLUSTER_PIPELINE_PARALLELISM', 'int', null, 'no effect'],
  ['REDIS_TLS_CLIENT_CERT', 'text', ''],
  ['REDIS_TLS_CLIENT_KEY', 'text', ''],
  ['REDIS_TLS_CACERT', 'text', ''],
  ['REDIS_TLS_SKIP_HOSTNAME_VERIFICATION', 'bool', false],
  ['REDIS_HEALTH_CHECK_ACTIVE_CONNECTION', 'bool', false],
  ['REDIS_STARTUP_INITIAL_INTERVAL', 'duration', 1000],
  ['REDIS_STARTUP_MAX_INTERVAL', 'duration', 30_000],
  ['REDIS_STARTUP_MAX_ELAPSED_TIME', 'duration', 0],
  // There is no memcached backend: BACKEND_TYPE=memcache is refused, and what only it would read is told of.
  ...[
    'MEMCACHE_HOST_PORT',
    'MEMCACHE_SRV',
    'MEMCACHE_SRV_REFRESH',
    'MEMCACHE_MAX_IDLE_CONNS',
    'MEMCACHE_TLS',
    'MEMCACHE_TLS_CLIENT_CERT',
    'MEMCACHE_TLS_CLIENT_KEY',
    'MEMCACHE_TLS_CACERT',
    'MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION',
  ].map((name): Row => [name, 'text', null, 'no effect']),
  ['TRACING_ENABLED', 'bool', false],
  ['TRACING_EXPORTER_PROTOCOL', 'text', 'http'],
  ['TRACING_SERVICE_NAME', 'text', 'RateLimit'],
  ['TRACING_SERVICE_NAMESPACE', 'text', ''],
  ['TRACING_SERVICE_INSTANCE_ID', 'text', ''],
  ['TRACING_SAMPLING_RATE', 'number', 1],
];

/** A value that differs from the default, of each shape. */
const samples: Readonly<Record<Shape, string>> = {
  text: 'x',
  bool: 'true',
  int: '7',
  duration: '7s',
  number: '0.7',
  pairs: 'a:b,c:d:e',
  list: 'a,b',
  choice: '',
};

function problemsOf(env: Readonly<Record<string, string>>): string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    return error.message.split('\n');
  }
}

test('every variable of the reference has a fate: none is ignored in silence', () => {
  const known = new Set(settingNames());
  const settings = readSettings({}) as unknown as Readonly<Record<string, unknown>>;
  for (const [name, shape, fallback, fate = 'implemented'] of rows) {
    if (fate === 'implemented') {
      assert.ok(known.has(name), `${name} is not read`);
      if (fallback !== null) assert.equal(settings[name], fallback, `default of ${name}`);
    } else if (fate === 'no effect') {
      const { notices } = readSettings({ [name]: samples[shape] });
      assert.ok(
        notices.some((notice) => notice.startsWith(name)),
        `${name} has no effect and nothing says so`,
      );
    } else {
      assert.deepEqual(problemsOf({ [name]: fate.allowed }), []);
      assert.ok(problemsOf({ [name]: fate.refused })[0]?.startsWith(`${name}=${fate.refused} `), name);
    }
  }
});

test('what is set is what is used', () => {
  // Of the text ones, these have words of their own.
  const own = new Set(['LOG_FORMAT', 'BACKEND_TYPE']);
  for (const [name, shape, fallback, fate = 'implemented'] of rows) {
    if (fate !== 'implemented' || fallback === null || shape === 'choice' || own.has(name)) continue;
    const value = samples[shape] === String(fallback) ? 'false' : samples[shape];
    // One sink only; statsd is on by itself.
    const sinks = /^USE_/.test(name) ? { USE_STATSD: 'false' } : {};
    const settings = readSettings({ ...sinks, [name]: value }) as unknown as Readonly<Record<string, unknown>>;
    const expected = {
      text: value,
      bool: value === 'true',
      int: 7,
      duration: 7000,
      number: 0.7,
      pairs: null,
      list: null,
    }[shape];
    assert.equal(settings[name], expected, name);
  }
  const lists = readSettings({ EXTRA_TAGS: samples.pairs, USE_DOG_STATSD_MOGRIFIERS: samples.list });
  assert.deepEqual(lists.EXTRA_TAGS, [
    ['a', 'b'],
    ['c', 'd:e'],
  ]);
  assert.deepEqual(lists.USE_DOG_STATSD_MOGRIFIERS, ['a', 'b']);
});

test('set but empty: a mistake, unless it is a text or a list', () => {
  for (const [name, shape, , fate = 'implemented'] of rows) {
    if (fate !== 'implemented') continue;
    const problems = problemsOf({ [name]: '' });
    if (shape === 'text' || shape === 'pairs' || shape === 'list') assert.deepEqual(problems, [], name);
    else assert.ok(problems.length > 0 && problems[0]!.startsWith(`${name}=`), `${name}: ${problems.join()}`);
  }
});

test('nonsense is refused by name', () => {
  for (const [name, shape, , fate = 'implemented'] of rows) {
    if (fate !== 'implemented' || shape === 'text' || shape === 'list') continue;
    const problems = problemsOf({ [name]: 'no&sense' });
    const shown = name === 'CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS' ? hiddenValue : 'no&sense';
    assert.ok(
      problems.some((problem) => problem.startsWith(`${name}=${shown} `)),
      `${name}: ${problems.join()}`,
    );
  }
  const cases: readonly (readonly [env: Readonly<Record<string, string>>, problem: RegExp])[] = [
    [{ CONFIG_TYPE: 'file' }, /CONFIG_TYPE=file Invalid setting for ConfigType: file/],
    [{ BACKEND_TYPE: 'memcache' }, /BACKEND_TYPE=memcache is not supported/],
    [{ LOG_FORMAT: 'xml' }, /LOG_FORMAT=xml is neither text nor json/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL=loud is none of trace, /],
    [{ EXTRA_TAGS: 'a' }, /EXTRA_TAGS=a is not a list such as name:value,name:value/],
    [{ STATS_FLUSH_INTERVAL: '0' }, /STATS_FLUSH_INTERVAL/],
    [{ USE_PROMETHEUS: 'true' }, /unable to use more than one stats sink at the same time/],
    [{ USE_DOG_STATSD: 'true', USE_PROMETHEUS: 'true', USE_STATSD: 'false' }, /more than one stats sink/],
    [
      { USE_PROMETHEUS: 'true', USE_STATSD: 'false', PROMETHEUS_ADDR: '9090' },
      /PROMETHEUS_ADDR=9090 is not an address/,
    ],
    [{ USE_PROMETHEUS: 'true', USE_STATSD: 'false', PROMETHEUS_PATH: 'm' }, /PROMETHEUS_PATH=m does not begin with/],
    [
      { USE_DOG_STATSD: 'true', USE_STATSD: 'false', USE_DOG_STATSD_MOGRIFIERS: 'A' },
      /no PATTERN specified for mogrifier A/,
    ],
    [{ TRACING_ENABLED: 'true', TRACING_EXPORTER_PROTOCOL: 'udp' }, /Invalid otlptrace client protocol: udp/],
  ];
  for (const [env, problem] of cases) assert.match(problemsOf(env).join('\n'), problem);
  assert.deepEqual(problemsOf({ USE_PROMETHEUS: 'true', DISABLE_STATS: 'true' }), []);
});

test('TLS that is prepared and switched off is told', () => {
  const files = { GRPC_SERVER_TLS_CERT: '/a', CONFIG_GRPC_XDS_SERVER_TLS_CACERT: '/b' };
  assert.deepEqual(readSettings(files).notices, [
    'GRPC_SERVER_TLS_CERT has no effect: GRPC_SERVER_USE_TLS is not true',
    'CONFIG_GRPC_XDS_SERVER_TLS_CACERT has no effect: CONFIG_GRPC_XDS_SERVER_USE_TLS is not true',
  ]);
  const on = { GRPC_SERVER_USE_TLS: 'true', CONFIG_GRPC_XDS_SERVER_USE_TLS: 'true' };
  assert.deepEqual(readSettings({ ...files, ...on }).notices, []);
});
