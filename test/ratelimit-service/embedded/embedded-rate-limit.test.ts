import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { LogRegistry } from '#gateway/base/log.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { writeRateLimitRequest } from '#gateway/route/rate-limit-call/request-writer.ts';
import { readRateLimitResponse } from '#gateway/route/rate-limit-call/response-reader.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { createGrpcClient } from '#gateway/upstream/client/create-grpc-client.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import type {
  RateLimitQuotaResponse,
  RateLimitQuotaUsageReports,
} from '#proto-types/envoy/service/rate_limit_quota/v3/rlqs_pb.ts';
import { createEmbeddedRateLimit, type EmbeddedRateLimit } from '#ratelimit/embedded/embedded-rate-limit.ts';
import { until } from '#test/support/until.ts';
import { createUpstreamWorld } from '#test/support/upstream-world.ts';

const method = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const perDay = (key: string, limit: number): string =>
  `domain: d\ndescriptors: [{ key: ${key}, rate_limit: { unit: day, requests_per_unit: ${limit} } }]\n`;

const root = mkdtempSync(join(tmpdir(), 'sluice-embedded-'));
const file = join(root, 'config', 'd.yaml');
mkdirSync(join(root, 'config'));

const lines: string[] = [];
const world = {
  clock: systemClock,
  timers: createSystemTimers(systemClock),
  random: createSystemRandom(),
  logs: new LogRegistry({ write: (level, component, text) => lines.push(`${level} ${component} ${text}`) }),
};

function create(
  yaml: string,
  settings: Readonly<Record<string, string>> = {},
): { service: EmbeddedRateLimit | null; said: string[] } {
  writeFileSync(file, yaml);
  const said: string[] = [];
  const service = createEmbeddedRateLimit({ RUNTIME_ROOT: root, ...settings }, world, {
    error: (setting, problem) => said.push(`error ${setting}: ${problem}`),
    warning: (setting, problem) => said.push(`warning ${setting}: ${problem}`),
  });
  return { service, said };
}

async function start(yaml: string, settings: Readonly<Record<string, string>> = {}): Promise<EmbeddedRateLimit> {
  const { service, said } = create(yaml, settings);
  assert.deepEqual(said, []);
  await new Promise<void>((ready) => service!.start(ready));
  return service!;
}

/** What comes of one call within it: a code and what remains, or an error. */
function ask(service: EmbeddedRateLimit, key: string, message?: Uint8Array): string {
  let outcome = 'nothing yet';
  const descriptor = { entries: [{ key, value: 'x' }], limit: null, hitsAddend: null, isNegativeHits: false };
  service.call(method, message ?? writeRateLimitRequest('d', [descriptor], 0), {
    onSuccess(answer) {
      const { code, statuses } = readRateLimitResponse(answer)!;
      outcome = `${code} ${statuses.map(({ remaining, limited }) => (limited ? remaining : '-')).join()}`;
    },
    onFailure(status, text) {
      outcome = `failed ${status} ${text}`;
    },
  });
  return outcome;
}

describe('embedded rate-limit service', () => {
  after(() => rmSync(root, { recursive: true, force: true }));

  it('answers within the call, exactly', async () => {
    const service = await start(perDay('k', 2));
    assert.equal(service.isDirect(method), true);
    assert.deepEqual([ask(service, 'k'), ask(service, 'k'), ask(service, 'k')], ['1 1', '1 0', '2 0']);
    assert.equal(ask(service, 'other'), '1 -');
    const counted = new Map([...service.counters()].map(({ name, value }) => [name, value]));
    assert.equal(counted.get('ratelimit.service.rate_limit.d.k.over_limit'), 1);
    assert.equal(counted.get('ratelimit_server.ShouldRateLimit.total_requests'), 4);
    service.close();
  });

  it('fails as the service behind a port does', async () => {
    const service = await start(perDay('k', 2));
    assert.equal(ask(service, 'k', Uint8Array.of(0xff)), 'failed 13 malformed RateLimitRequest');
    assert.equal(ask(service, 'k', new Uint8Array(0)), 'failed 2 rate limit domain must not be empty');
    assert.match(ask(service, 'k', new Uint8Array(4 * 1024 * 1024 + 1)), /^failed 8 the request is not one message/);
    service.close();
  });

  it('is absent before it has begun and after its end', async () => {
    const { service } = create(perDay('k', 2));
    assert.equal(ask(service!, 'k'), 'failed 14 the rate-limit service has not begun');
    assert.deepEqual([...service!.counters()], []);
    await new Promise<void>((ready) => service!.start(ready));
    assert.equal(ask(service!, 'k'), '1 1');
    service!.close();
    assert.equal(ask(service!, 'k'), 'failed 14 the rate-limit service has ended');
  });

  it('reads its limits again when they change; with a mistake the old ones stay', async () => {
    const service = await start(perDay('k', 2));
    writeFileSync(file, perDay('k', 7));
    await until(() => ask(service, 'k').endsWith(' 6') || ask(service, 'k').startsWith('1'));
    writeFileSync(file, 'domain: d\ndescriptors: [{ key: }]\n');
    await until(() => lines.some((line) => line.includes('Error loading new configuration: d.yaml')));
    assert.notEqual(ask(service, 'k'), '1 -');
    service.close();
  });

  it('is refused with the file and the line that are wrong, before anything starts', () => {
    const bad = create(
      'domain: d\ndescriptors:\n  - key: k\n    rate_limit: { unit: fortnight, requests_per_unit: 1 }\n',
    );
    assert.equal(bad.service, null);
    assert.deepEqual(bad.said, [
      `error RUNTIME_ROOT: ${join(root, 'config')}: d.yaml: invalid rate limit unit 'fortnight' (line 4: it is none of second, minute, hour, day, week, month, year)`,
    ]);
    const broken = create('domain: d\ndescriptors: [\n');
    assert.equal(broken.service, null);
    assert.match(broken.said.join(), /d\.yaml: error loading config file: yaml: line \d/);
    const gone = create(perDay('k', 2), { RUNTIME_ROOT: join(root, 'nowhere') });
    assert.equal(gone.service, null);
    assert.match(gone.said.join(), /error RUNTIME_ROOT: .*nowhere.*ENOENT/);
  });

  it('begins with bad limits when it is told to, and says so', async () => {
    const { service, said } = create('domain: ""\n', { FORCE_START_WITHOUT_INITIAL_CONFIG: 'true' });
    assert.match(
      said.join(),
      /^warning RUNTIME_ROOT: .*config file cannot have empty domain \(it needs a line 'domain: NAME'.*\)$/,
    );
    await new Promise<void>((ready) => service!.start(ready));
    assert.equal(ask(service!, 'k'), 'failed 2 no rate limit configuration loaded');
    writeFileSync(file, perDay('k', 2));
    await until(() => ask(service!, 'k').startsWith('1'));
    service!.close();
  });

  it('warns where there is nothing to read, and of counters that could be shared', () => {
    const both = ['k', 'k_e']
      .map((key) => `  - { key: ${key}, rate_limit: { unit: day, requests_per_unit: 1 } }\n`)
      .join('');
    assert.match(create(`domain: d\ndescriptors:\n${both}`).said.join(), /^warning RUNTIME_ROOT: .*same key/);
    const none = create(perDay('k', 1), { RUNTIME_WATCH_ROOT: 'true' });
    assert.match(none.said.join(), /^warning RUNTIME_SUBDIRECTORY: without it RUNTIME_WATCH_ROOT reads no file/);
    assert.notEqual(none.service, null);
  });

  it('shows its limits on a debug port when one is set', async () => {
    const service = await start(perDay('k', 2), { DEBUG_PORT: '0' });
    const port = /debug port (\d+)/.exec(lines.join('\n'))![1]!;
    const page = await fetch(`http://127.0.0.1:${port}/rlconfig`);
    assert.match(await page.text(), /^d\.k: unit=DAY requests_per_unit=2,/);
    service.close();
  });

  it('does not run where its debug port is taken, and says why', async () => {
    const first = await start(perDay('k', 2), { DEBUG_PORT: '0' });
    const port = [...lines.join('\n').matchAll(/debug port (\d+)/g)].at(-1)![1]!;
    const second = await start(perDay('k', 2), { DEBUG_PORT: port });
    assert.equal(ask(second, 'k'), 'failed 14 the rate-limit service has not begun');
    assert.match(lines.at(-1)!, /^critical ratelimit the service cannot run in this process: .*EADDRINUSE|in use/);
    first.close();
    second.close();
  });

  it('serves its other methods through a cluster: health, quotas, and errors for what there is not', async (t) => {
    const service = await start(perDay('k', 4));
    const inProcess = {
      name: 'sluice.in_process',
      typed_config: { '@type': 'type.googleapis.com/sluice.clusters.in_process.v1.InProcess', service: 'ratelimit' },
    };
    const upstream = createUpstreamWorld(
      [{ name: 'rls', cluster_type: inProcess }],
      {},
      { inProcess: { create: () => service } },
    );
    t.after(() => upstream.clusters.close());
    const config = createMessage<GrpcService>('envoy.config.core.v3.GrpcService', {
      targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'rls' } },
    });
    const client = createGrpcClient(config, upstream.clusters, world.timers, true, new Diagnostics());
    const unary = (path: string): Promise<string> =>
      new Promise((done) => {
        client.unary(path, new Uint8Array(0), 5000, null, {
          onSuccess: (message) => done([...message].join(' ')),
          onFailure: (status, text) => done(`failed ${status} ${text}`),
        });
      });
    assert.equal(await unary('/grpc.health.v1.Health/Check'), '8 1');
    assert.equal(await unary('/no.Such/Method'), 'failed 12 unknown method /no.Such/Method');
    const report = createMessage<RateLimitQuotaUsageReports>(
      'envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports',
      { domain: 'd', bucketQuotaUsages: [{ bucketId: { bucket: { k: 'x' } }, numRequestsAllowed: 1n }] },
    );
    const [told, closed] = await new Promise<[string, string]>((done) => {
      let first = '';
      const path = '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas';
      const stream = client.stream(path, null, {
        onMessage(message) {
          const type = 'envoy.service.rate_limit_quota.v3.RateLimitQuotaResponse';
          first = decodeMessage<RateLimitQuotaResponse>(type, message).bucketAction[0]!.bucketAction.case ?? 'nothing';
          stream.endWrite();
        },
        onClose: (status, text) => done([first, `${status} ${text}`]),
      });
      stream.send(encodeMessage(report));
    });
    assert.deepEqual([told, closed], ['quotaAssignmentAction', '0 ']);
    assert.equal(upstream.context.stat('cluster.rls.upstream_rq_active'), 0);
  });
});
