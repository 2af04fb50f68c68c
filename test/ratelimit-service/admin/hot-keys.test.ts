import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { RateLimitRequest } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { HotKeys } from '#ratelimit/admin/hot-keys.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { LimitService } from '#ratelimit/service/limit-service.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const rules = `domain: d
descriptors:
  - { key: ip, rate_limit: { unit: hour, requests_per_unit: 100 } }
  - { key: path, value: /api/*, share_threshold: true, rate_limit: { unit: hour, requests_per_unit: 1000000 } }
  - { key: free, rate_limit: { unlimited: true } }
`;

class Bench {
  readonly time: VirtualTime = new VirtualTime();
  readonly hot: HotKeys;
  readonly service: LimitService;

  constructor(size: number) {
    const { time } = this;
    const stats = new StatsStore();
    this.hot = new HotKeys({ size, windowMs: 60_000 }, time.timers, time);
    this.hot.start();
    this.service = new LimitService(new RateLimiter(new MemoryStore(time), time, stats, null), stats, {
      keyPrefix: '',
      nearLimitRatio: 0.8,
      quotaMode: false,
      shadowMode: false,
      headers: null,
      tallies: this.hot,
    });
    this.service.setConfig(loadLimitConfig([{ name: 'a.yaml', text: rules }], false, stats));
  }

  /** As it comes over gRPC: plans are remembered. */
  ask(key: string, value: string, hits = 1): void {
    const octets = encodeMessage(
      createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', {
        domain: 'd',
        hitsAddend: hits,
        descriptors: [{ entries: [{ key, value }] }],
      }),
    );
    let answers = 0;
    this.service.answer(octets, 0, octets.length, {
      onAnswer: () => answers++,
      onAnswerError: (_status, message) => assert.fail(message),
    });
    assert.equal(answers, 1);
  }

  /** `value hits over error` of the hottest. */
  top(by: 'hits' | 'over_limit' = 'hits', count = 3): string[] {
    const [domain] = this.hot.report('d', by, count).domains;
    return (domain?.keys ?? []).map(
      ({ descriptor, hits, over_limit: over, error }) => `${descriptor[0]!.value} ${hits} ${over} ${error}`,
    );
  }
}

test('hits and hits over the limit of the same key again and again, of plans that are remembered and new ones', () => {
  const bench = new Bench(10);
  for (let i = 0; i < 150; i++) bench.ask('ip', '1');
  for (let i = 0; i < 20; i++) bench.ask('ip', '2', 7);
  bench.service.forgetPlans();
  for (let i = 0; i < 10; i++) bench.ask('ip', '1');
  bench.ask('free', '1');
  assert.deepEqual(bench.top(), ['1 160 60 0', '2 140 40 0']);
  assert.deepEqual(bench.top('over_limit'), ['1 160 60 0', '2 140 40 0']);
  const [domain] = bench.hot.report(null, 'hits', 1).domains;
  assert.deepEqual([domain!.hits, domain!.over_limit, domain!.keys.length], [300, 100, 1]);
  assert.deepEqual(bench.hot.report('other', 'hits', 1).domains, []);
});

test('values that share a counter are one key, and a peek is no hit', () => {
  const bench = new Bench(10);
  bench.ask('path', '/api/a');
  bench.ask('path', '/api/b');
  assert.deepEqual(bench.top(), ['/api/* 2 0 0']);
});

test('a key that is far too long is not watched', () => {
  const bench = new Bench(10);
  bench.ask('ip', 'x'.repeat(2000));
  assert.deepEqual(bench.top(), []);
});

test('the list tells of the window under way and the one before, and of nothing older', () => {
  const bench = new Bench(10);
  bench.ask('ip', 'old');
  bench.time.advance(61_000);
  bench.ask('ip', 'new', 2);
  assert.deepEqual(bench.top(), ['new 2 0 0', 'old 1 0 0']);
  assert.equal(bench.hot.report(null, 'hits', 9).seconds, 61);
  bench.time.advance(60_000);
  assert.deepEqual(bench.top(), ['new 2 0 0']);
  bench.time.advance(60_000);
  assert.deepEqual(bench.top(), []);
});

test('simulation: with 50 places for 30,000 keys in two windows, every count is within its error', () => {
  const size = 50;
  const bench = new Bench(size);
  const random = createSeededRandom(11);
  const truth = new Map<string, number>();
  for (let i = 0; i < 60_000; i++) {
    if (i === 30_000) bench.time.advance(61_000);
    const value = String(Math.floor(30_000 ** random.next()));
    truth.set(value, (truth.get(value) ?? 0) + 1);
    bench.ask('ip', value);
  }
  const [domain] = bench.hot.report('d', 'hits', size).domains;
  assert.equal(domain!.hits, 60_000);
  for (const { descriptor, hits, error } of domain!.keys) {
    const real = truth.get(descriptor[0]!.value)!;
    assert.ok(hits >= real && hits - error <= real, `${descriptor[0]!.value}: ${real}, not ${hits - error}..${hits}`);
    assert.ok(error <= 60_000 / size, `error ${error}`);
  }
  const hottest = [...truth].sort((a, b) => b[1] - a[1]).slice(0, 5);
  const shown = new Set(domain!.keys.map(({ descriptor }) => descriptor[0]!.value));
  for (const [value, real] of hottest) assert.ok(shown.has(value), `${value} with ${real} is missing`);
});
