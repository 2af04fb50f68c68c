import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Settings } from '#ratelimit/config/settings.ts';
import { readEmbeddedSettings } from '#ratelimit/embedded/embedded-settings.ts';

function read(given: Readonly<Record<string, string>>): { settings: Settings | null; said: string[] } {
  const said: string[] = [];
  const settings = readEmbeddedSettings(given, {
    error: (setting, problem, suggestion) =>
      said.push(`${setting}: ${problem}${suggestion ? ` (${suggestion}?)` : ''}`),
    warning: (setting, problem) => said.push(`warning ${setting}: ${problem}`),
  });
  return { settings, said };
}

describe('settings of an embedded rate-limit service', () => {
  it('are those of the environment, with counters in memory and no sink unless asked for', () => {
    const { settings, said } = read({ RUNTIME_ROOT: '/limits', NEAR_LIMIT_RATIO: '0.5' });
    assert.deepEqual(said, []);
    const { BACKEND_TYPE, RUNTIME_ROOT, RUNTIME_WATCH_ROOT, NEAR_LIMIT_RATIO, USE_STATSD, DISABLE_STATS } = settings!;
    assert.deepEqual([BACKEND_TYPE, RUNTIME_ROOT, RUNTIME_WATCH_ROOT], ['memory', '/limits', false]);
    assert.deepEqual([NEAR_LIMIT_RATIO, USE_STATSD, DISABLE_STATS], [0.5, false, true]);
  });

  it('may name a store, a sink and a way to watch', () => {
    const given = { BACKEND_TYPE: 'redis', USE_PROMETHEUS: 'true', RUNTIME_WATCH_ROOT: 'true' };
    const { settings, said } = read(given);
    assert.deepEqual(said, []);
    assert.deepEqual([settings!.BACKEND_TYPE, settings!.RUNTIME_WATCH_ROOT], ['redis', true]);
    assert.deepEqual([settings!.USE_PROMETHEUS, settings!.USE_STATSD, settings!.DISABLE_STATS], [true, false, false]);
  });

  it('are refused by name where the process decides, or where there is none', () => {
    const given = { GRPC_PORT: '1', GRPC_SERVER_USE_TLS: 'true', PORT: '2', LOG_LEVEL: 'INFO', NEAR_LIMIT: '1' };
    const { settings, said } = read({ ...given, DEBUG_HOST: '0.0.0.0' });
    assert.equal(settings, null);
    assert.deepEqual(said, [
      "GRPC_PORT: the service has no port in this process; its clients are the cluster's",
      "GRPC_SERVER_USE_TLS: the service has no port in this process; its clients are the cluster's",
      "PORT: the service has no port in this process; its clients are the cluster's",
      'LOG_LEVEL: the log is that of the process: see --log-level and --log-format',
      'NEAR_LIMIT: no such setting (NEAR_LIMIT_RATIO?)',
      'DEBUG_HOST: needs DEBUG_PORT: there is none else',
    ]);
  });

  it('with values that cannot be are told one by one', () => {
    const { settings, said } = read({
      MERGE_DOMAIN_CONFIG: 'perhaps',
      MEMORY_MAX_COUNTERS: '-1',
      NEAR_LIMIT_RATIO: '2',
    });
    assert.equal(settings, null);
    assert.deepEqual(said.sort(), [
      'MEMORY_MAX_COUNTERS: "-1" is not a number from 0 to 2147483647',
      'MERGE_DOMAIN_CONFIG: "perhaps" is neither true nor false',
      'NEAR_LIMIT_RATIO: "2" is not a number from 0 to 1',
    ]);
  });
});
