import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LogRegistry } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { readSettings } from '#ratelimit/config/settings.ts';
import { createRateLimitService, type RateLimitService } from '#ratelimit/service/create-rate-limit-service.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';

const perDay = (key: string, limit: number): string =>
  `domain: d\ndescriptors: [{ key: ${key}, rate_limit: { unit: day, requests_per_unit: ${limit} } }]`;

/** A runtime root as Kubernetes and goruntime lay it out: a link to the current version. */
class Root {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'sluice-rl-'));
  #version = 0;
  constructor(yaml: string) {
    this.swap(yaml);
  }
  /** Replaces all the configuration by swapping the link. */
  swap(yaml: string): void {
    const version = join(this.directory, `v${++this.#version}`);
    mkdirSync(join(version, 'rl', 'config'), { recursive: true });
    writeFileSync(join(version, 'rl', 'config', 'a.yaml'), yaml);
    symlinkSync(version, join(this.directory, 'next'));
    renameSync(join(this.directory, 'next'), join(this.directory, 'current'));
  }
  /** Writes the file in place. */
  edit(yaml: string): void {
    writeFileSync(join(this.directory, 'current', 'rl', 'config', 'a.yaml'), yaml);
  }
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const lines: string[] = [];

async function start(root: Root, env: Readonly<Record<string, string>> = {}): Promise<RateLimitService> {
  const settings = readSettings({
    BACKEND_TYPE: 'memory',
    RUNTIME_ROOT: join(root.directory, 'current'),
    RUNTIME_SUBDIRECTORY: 'rl',
    USE_STATSD: 'false',
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: '0',
    DEBUG_PORT: '0',
    ...env,
  });
  const service = await createRateLimitService({
    settings,
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    random: createSystemRandom(),
    logs: new LogRegistry({ write: (level, _component, message) => lines.push(`${level} ${message}`) }),
  });
  return service!;
}

async function until(what: string, ready: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await ready()) return;
    await delay(20);
  }
  throw new Error(`${what}: not within six seconds: ${lines.slice(-5).join('\n')}`);
}

test('gRPC, JSON and the debug pages tell the same', async (t) => {
  const root = new Root(perDay('a', 2));
  t.after(() => root.remove());
  const service = await start(root, { LIMIT_RESPONSE_HEADERS_ENABLED: 'true' });
  const client = new RateLimitClient(`127.0.0.1:${service.grpcPort}`);
  try {
    const first = await client.ask('d', 'a=1');
    assert.equal(first.overallCode, 1);
    assert.equal(first.statuses[0]!.limitRemaining, 1);
    assert.deepEqual(
      first.responseHeadersToAdd.slice(0, 2).map(({ key, value }) => `${key}: ${value}`),
      ['RateLimit-Limit: 2', 'RateLimit-Remaining: 1'],
    );
    const json = `http://127.0.0.1:${service.httpPort}/json`;
    const body = JSON.stringify({ domain: 'd', descriptors: [{ entries: [{ key: 'a', value: '1' }] }] });
    const second = await fetch(json, { method: 'POST', body });
    assert.equal(second.status, 200);
    const third = await fetch(json, { method: 'POST', body });
    assert.equal(third.status, 429);
    assert.equal(((await third.json()) as { overallCode: string }).overallCode, 'OVER_LIMIT');
    assert.equal((await client.ask('d', 'a=1')).overallCode, 2);
    for (const bad of ['', '{', '{"domain":"d","nothing":1}', '{"domain":""}', '{"domain":"d"}']) {
      const answer = await fetch(json, { method: 'POST', body: bad });
      assert.equal(answer.status, 400, bad);
      assert.equal(await answer.text(), 'Bad Request\n');
    }
    assert.equal(await (await fetch(`http://127.0.0.1:${service.httpPort}/healthcheck`)).text(), 'OK');
    assert.equal((await fetch(`http://127.0.0.1:${service.httpPort}/other`)).status, 404);
    const debug = `http://127.0.0.1:${service.debugPort}`;
    assert.match(await (await fetch(`${debug}/rlconfig`)).text(), /^d\.a: unit=DAY requests_per_unit=2, /);
    assert.match(await (await fetch(`${debug}/stats`)).text(), /rate_limit\.d\.a\.over_limit: 2\n/);
    await assert.rejects(client.ask('', 'a=1'), /2 UNKNOWN: rate limit domain must not be empty/);
    await assert.rejects(client.call('/x.Y/Z', new Uint8Array(0)), /12 UNIMPLEMENTED: unknown method \/x\.Y\/Z/);
    const malformed = client.call(
      '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
      Uint8Array.of(10, 200),
    );
    await assert.rejects(malformed, /13 INTERNAL: malformed/);
  } finally {
    client.close();
    await service.close();
  }
});

test('health over gRPC', async (t) => {
  const root = new Root('domain: d');
  t.after(() => root.remove());
  const service = await start(root);
  const client = new RateLimitClient(`127.0.0.1:${service.grpcPort}`);
  const check = async (name: string): Promise<number> =>
    (
      await client.call(
        '/grpc.health.v1.Health/Check',
        name === '' ? new Uint8Array(0) : Uint8Array.of(10, name.length, ...new TextEncoder().encode(name)),
      )
    )[1]!;
  try {
    assert.equal(await check(''), 1);
    assert.equal(await check('ratelimit'), 1);
    await assert.rejects(check('other'), /5 NOT_FOUND: unknown service/);
    service.health.setStore(false);
    assert.equal(await check(''), 1);
    assert.equal(await check('ratelimit'), 2);
    assert.equal((await fetch(`http://127.0.0.1:${service.httpPort}/healthcheck`)).status, 500);
  } finally {
    client.close();
    await service.close();
  }
});

test('the configuration is loaded again when the link is swapped or a file edited; a mistake changes nothing', async (t) => {
  const root = new Root(perDay('a', 5));
  t.after(() => root.remove());
  const service = await start(root);
  const limitOf = (key: string): number | undefined =>
    service.limits.config!.domains.get('d')?.children.get(key)?.rules[0]?.requestsPerUnit;
  try {
    assert.equal(limitOf('a'), 5);
    root.swap(perDay('a', 6));
    await until('swap', () => limitOf('a') === 6);
    root.edit(perDay('a', 7));
    await until('edit', () => limitOf('a') === 7);
    root.edit('domain: d\ndescriptors: [{ value: x }]');
    await until('mistake', () => service.stats.configLoadError === 1);
    assert.equal(limitOf('a'), 7);
    assert.ok(
      lines.includes('error Error loading new configuration: config.a.yaml: descriptor has empty key (line 2)'),
    );
    root.swap(perDay('b', 1));
    await until('repair', () => limitOf('b') === 1);
    assert.equal(limitOf('a'), undefined);
  } finally {
    await service.close();
  }
});

test('a directory that is not there, and a port that is taken, are named', async (t) => {
  const root = new Root(perDay('a', 5));
  t.after(() => root.remove());
  await assert.rejects(start(root, { RUNTIME_SUBDIRECTORY: 'none' }), /unable to watch file \(.*none\)/);
  const service = await start(root);
  try {
    for (const [name, port] of [
      ['GRPC_PORT', service.grpcPort],
      ['PORT', service.httpPort],
      ['DEBUG_PORT', service.debugPort],
    ] as const) {
      await assert.rejects(start(root, { [name]: String(port) }), new RegExp(`HOST=.*, ${name}=${port}: .*in use`));
    }
    await assert.rejects(
      start(root, { GRPC_SERVER_USE_TLS: 'true', GRPC_SERVER_TLS_CERT: '/none.crt', GRPC_SERVER_TLS_KEY: '/none.key' }),
      /^Error: GRPC_SERVER_TLS_CERT=\/none\.crt: no such file or directory$/,
    );
  } finally {
    await service.close();
  }
});
