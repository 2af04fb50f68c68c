import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import type { LimitDescriptor } from '#ratelimit/limiter/request.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { descriptorCode, limitRemaining, secondsUntilReset } from '#ratelimit/limiter/verdict.ts';
import { type AnswerOptions, type LimitOutcome, LimitService } from '#ratelimit/service/limit-service.ts';
import { LocalCache } from '#ratelimit/store/local-cache.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

const plain: AnswerOptions = { keyPrefix: '', nearLimitRatio: 0.8, quotaMode: false, shadowMode: false, headers: null };

class Bench {
  readonly wall: VirtualWall = new VirtualWall();
  readonly stats: StatsStore = new StatsStore();
  readonly service: LimitService;

  constructor(
    descriptors: string,
    allOrNothing = false,
    cache: LocalCache | null = null,
    options: Partial<AnswerOptions> = {},
  ) {
    const store = new MemoryStore(this.wall);
    const limiter = new RateLimiter(store, this.wall, this.stats, cache, false, allOrNothing);
    this.service = new LimitService(limiter, this.stats, { ...plain, ...options });
    const text = `domain: d\ndescriptors:\n${descriptors}`;
    this.service.setConfig(loadLimitConfig([{ name: 'a.yaml', text }], false, this.stats));
  }

  ask(descriptors: LimitDescriptor[]): LimitOutcome {
    let got: LimitOutcome | null = null;
    this.service.answerRequest({ domain: 'd', descriptors, hitsAddend: 0 }, (outcome, error) => {
      assert.equal(error, '');
      got = outcome;
    });
    return got!;
  }

  /** The overall code, then code, remaining and reset of each descriptor. */
  codes(...descriptors: LimitDescriptor[]): string {
    const { code, plan, after, nowSeconds } = this.ask(descriptors);
    const names = ['?', 'OK', 'OVER'];
    const each = plan.descriptors.map((one, i) => {
      const reset = one.windowSeconds === 0 ? '-' : secondsUntilReset(one, nowSeconds);
      return `${names[descriptorCode(one, after[i]!)]}:${limitRemaining(one, after[i]!)}:${reset}`;
    });
    return [names[code], ...each].join(' ');
  }
}

function d(key: string, hits = 1): LimitDescriptor {
  return { entries: [{ key, value: 'v' }], limit: null, hitsAddend: Math.abs(hits), isNegativeHits: hits < 0 };
}

test('a second and a day on one descriptor: one status, of the limit that is over or nearest', () => {
  const bench = new Bench(`- key: a
  rate_limits:
  - { unit: second, requests_per_unit: 2 }
  - { unit: day, requests_per_unit: 5 }
- { key: b, rate_limit: { unit: minute, requests_per_unit: 9 } }`);
  bench.wall.us = 1_795_219_200_000_000;
  assert.equal(bench.codes(d('a'), d('b')), 'OK OK:1:1 OK:8:60');
  assert.equal(bench.codes(d('a'), d('b')), 'OK OK:0:1 OK:7:60');
  assert.equal(bench.codes(d('a'), d('b')), 'OVER OVER:0:1 OK:6:60');
  bench.wall.us += 1_000_000;
  assert.equal(bench.codes(d('a')), 'OK OK:1:1');
  assert.equal(bench.codes(d('a')), 'OK OK:0:1');
  bench.wall.us += 1_000_000;
  assert.equal(bench.codes(d('a')), 'OVER OVER:0:86398');
});

test('each algorithm through the service, with the time until there is room again', () => {
  const bench =
    new Bench(`- { key: bucket, rate_limit: { unit: minute, requests_per_unit: 6, algorithm: gcra, burst: 2 } }
- { key: sliding, rate_limit: { unit: minute, requests_per_unit: 2, algorithm: sliding_window } }
- { key: flight, rate_limit: { unit: second, unit_multiplier: 30, requests_per_unit: 1, algorithm: concurrency } }
- { key: five, rate_limit: { unit: minute, unit_multiplier: 5, requests_per_unit: 1 } }`);
  assert.equal(bench.codes(d('bucket')), 'OK OK:1:10');
  assert.equal(bench.codes(d('bucket')), 'OK OK:0:20');
  assert.equal(bench.codes(d('bucket')), 'OVER OVER:0:10');
  bench.wall.us += 10_000_000;
  assert.equal(bench.codes(d('bucket')), 'OK OK:0:20');
  assert.match(bench.codes(d('sliding', 2)), /^OK OK:0:6[0-3]$/);
  assert.match(bench.codes(d('sliding')), /^OVER OVER:0:6[0-3]$/);
  assert.match(bench.codes(d('flight')), /^OK OK:0:3[01]$/);
  assert.match(bench.codes(d('flight')), /^OVER/);
  assert.equal(bench.codes(d('flight', -1)), 'OK OK:1:0');
  assert.match(bench.codes(d('flight')), /^OK/);
  assert.match(bench.codes(d('five')), /^OK OK:0:(\d|[1-9]\d|[12]\d\d|300)$/);
  assert.match(bench.codes(d('five')), /^OVER/);
});

test('hits that are given back: always OK, counted by themselves, and the local cache asks again', () => {
  const bench = new Bench('- { key: a, rate_limit: { unit: day, requests_per_unit: 2 } }', false, new LocalCache(1000));
  bench.codes(d('a', 2));
  assert.match(bench.codes(d('a')), /^OVER/);
  assert.match(bench.codes(d('a')), /^OVER/);
  assert.match(bench.codes(d('a', -1)), /^OK OK:0/); // 3 were counted: a fixed window counts what it rejects
  assert.match(bench.codes(d('a', -50)), /^OK OK:2/);
  assert.match(bench.codes(d('a', 2)), /^OK OK:0/);
  const stats = [...bench.stats.limits()].find(({ key }) => key === 'd.a')!;
  assert.deepEqual([stats.totalHits, stats.totalNegativeHits], [6, 51]);
});

test('ALL_OR_NOTHING: a rejected request counts on none of its limits', () => {
  const bench = new Bench(
    `- { key: three, rate_limit: { unit: day, requests_per_unit: 3 } }
- { key: ten, rate_limit: { unit: day, requests_per_unit: 10 } }
- { key: quota, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 0 } }
- { key: more, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 9 } }`,
    true,
    new LocalCache(1000),
  );
  for (let i = 0; i < 3; i++) assert.match(bench.codes(d('three'), d('ten')), /^OK/);
  for (let i = 0; i < 3; i++) assert.match(bench.codes(d('three'), d('ten')), /^OVER OVER:0:\d+ OK:7/);
  // One quota that is over refuses; of two, each by itself does not.
  assert.match(bench.codes(d('ten'), d('quota')), /^OVER OK:7:\d+ OVER/);
  assert.match(bench.codes(d('ten'), d('quota'), d('more')), /^OK OK:6:\d+ OVER:0:\d+ OK:8/);
  assert.match(bench.codes(d('three', 0)), /^OK OK:0/);
});

test('replaces drops one of several limits, shadow_mode lets all of them pass', () => {
  const bench = new Bench(`- key: a
  rate_limits:
  - { unit: minute, requests_per_unit: 0, name: strict }
  - { unit: day, requests_per_unit: 9 }
- { key: vip, rate_limit: { unit: day, requests_per_unit: 99, replaces: [{ name: strict }] } }
- key: shadow
  shadow_mode: true
  rate_limits: [{ unit: minute, requests_per_unit: 0 }, { unit: day, requests_per_unit: 9, algorithm: gcra }]`);
  assert.match(bench.codes(d('a')), /^OVER/);
  assert.match(bench.codes(d('a'), d('vip')), /^OK OK:7:\d+ OK:98/);
  assert.match(bench.codes(d('shadow')), /^OK OK:0/);
});

test('KEY_FORMAT=escaped keeps apart what the reference counts together', () => {
  const yaml = `- { key: a, rate_limit: { unit: day, requests_per_unit: 1 } }
- { key: a_b, rate_limit: { unit: day, requests_per_unit: 1 } }`;
  const one = (key: string, value: string): LimitDescriptor => ({
    entries: [{ key, value }],
    limit: null,
    hitsAddend: 1,
  });
  const together = new Bench(yaml);
  assert.match(together.codes(one('a', 'b_c')), /^OK/);
  assert.match(together.codes(one('a_b', 'c')), /^OVER/);
  const apart = new Bench(yaml, false, null, { escapeKeys: true });
  assert.match(apart.codes(one('a', 'b_c')), /^OK/);
  assert.match(apart.codes(one('a_b', 'c')), /^OK/);
  assert.equal(apart.ask([one('a_b', 'c*')]).plan.descriptors[0]!.key, 'w86400:d_a\\_b_c\\*_1795219200');
});
