import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#gateway/runtime/clock.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import type { LimitDescriptor, LimitRequest } from '#ratelimit/limiter/request.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { descriptorCode, limitRemaining } from '#ratelimit/limiter/verdict.ts';
import { type AnswerOptions, type LimitOutcome, LimitService } from '#ratelimit/service/limit-service.ts';
import type { CounterStore, CounterWaiter } from '#ratelimit/store/counter-store.ts';
import { LocalCache } from '#ratelimit/store/local-cache.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import type { Take } from '#ratelimit/store/take.ts';

/** A store that notes the keys it is asked for. */
class NotingStore implements CounterStore {
  readonly healthy: boolean = true;
  readonly keys: string[] = [];
  readonly #memory: MemoryStore;
  constructor(clock: Clock) {
    this.#memory = new MemoryStore(clock);
  }
  add(key: string, hits: number, start: number, seconds: number, waiter: CounterWaiter, index: number): void {
    this.keys.push(key);
    this.#memory.add(key, hits, start, seconds, waiter, index);
  }
  read(key: string, start: number, seconds: number, waiter: CounterWaiter, index: number): void {
    this.#memory.read(key, start, seconds, waiter, index);
  }
  remove(key: string, seconds: number, waiter: CounterWaiter, index: number): void {
    this.#memory.remove(key, seconds, waiter, index);
  }
  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    for (const { key } of takes) this.keys.push(key);
    this.#memory.take(takes, allOrNothing, waiter);
  }
  close(): void {}
}

const plain: AnswerOptions = { keyPrefix: '', nearLimitRatio: 0.8, quotaMode: false, shadowMode: false, headers: null };

class Bench implements Clock {
  now = 1_795_293_151_000;
  readonly store: NotingStore = new NotingStore(this);
  readonly stats: StatsStore = new StatsStore();
  readonly service: LimitService;
  constructor(yaml: string, options: Partial<AnswerOptions> = {}, cache: LocalCache | null = null, holdBack = false) {
    this.service = new LimitService(new RateLimiter(this.store, this, this.stats, cache, holdBack), this.stats, {
      ...plain,
      ...options,
    });
    this.service.setConfig(loadLimitConfig([{ name: 'a.yaml', text: yaml }], false, this.stats));
  }
  nowMs(): number {
    return this.now;
  }
  wallMs(): number {
    return this.now;
  }
  ask(request: Partial<LimitRequest>): LimitOutcome {
    let got: LimitOutcome | string = 'no answer';
    this.service.answerRequest({ domain: 'd', descriptors: [], hitsAddend: 0, ...request }, (outcome, error) => {
      got = outcome ?? error;
    });
    if (typeof got === 'string') throw new Error(got);
    return got;
  }
  /** `CODE remaining` for every descriptor, after the overall code. */
  codes(...descriptors: LimitDescriptor[]): string {
    const { code, plan, after } = this.ask({ descriptors });
    const names = ['?', 'OK', 'OVER'];
    return [
      names[code],
      ...plan.descriptors.map((d, i) => `${names[descriptorCode(d, after[i]!)]}:${limitRemaining(d, after[i]!)}`),
    ].join(' ');
  }
}

function d(text: string, more: Partial<LimitDescriptor> = {}): LimitDescriptor {
  const entries = text.split(' ').map((pair) => ({ key: pair.split('=')[0]!, value: pair.split('=')[1] ?? '' }));
  return { entries, limit: null, hitsAddend: null, ...more };
}

test('keys are the reference service’s, byte for byte', () => {
  const bench = new Bench(`
domain: d
descriptors:
- { key: key1, value: foo, rate_limit: { unit: second, requests_per_unit: 1 } }
- key: nest
  descriptors: [{ key: c, rate_limit: { unit: hour, requests_per_unit: 1 } }]
- { key: path, value: /api/*/x, share_threshold: true, rate_limit: { unit: day, requests_per_unit: 9 } }
- { key: own, value: w*, rate_limit: { unit: week, requests_per_unit: 9 } }
`);
  bench.ask({ descriptors: [d('key1=foo'), d('nest=p c=1'), d('path=/api/v2/x'), d('own=w1')] });
  assert.deepEqual(bench.store.keys, [
    'd_key1_foo_1795293151',
    'd_nest_p_c_1_1795291200',
    'd_path_/api/*/x_1795219200',
    'd_own_w1_1795046400',
  ]);
});

test('a key prefix goes first', () => {
  const bench = new Bench('domain: d\ndescriptors: [{ key: a, rate_limit: { unit: minute, requests_per_unit: 1 } }]', {
    keyPrefix: 'pfx:',
  });
  bench.ask({ descriptors: [d('a=1')] });
  assert.deepEqual(bench.store.keys, ['pfx:d_a_1_1795293120']);
});

test('matching: exact, then the first wildcard, then the bare key; no way back', () => {
  const bench = new Bench(`
domain: d
descriptors:
- { key: a, value: abx, rate_limit: { unit: day, requests_per_unit: 1 } }
- { key: a, value: ab*, rate_limit: { unit: day, requests_per_unit: 2 } }
- { key: a, value: abc*, rate_limit: { unit: day, requests_per_unit: 3 } }
- { key: a, rate_limit: { unit: day, requests_per_unit: 4 } }
- { key: a, value: white }
- key: n
  value: one
  descriptors: [{ key: deep, rate_limit: { unit: day, requests_per_unit: 5 } }]
- { key: n, rate_limit: { unit: day, requests_per_unit: 6 } }
`);
  const found = (text: string): number | null =>
    bench.ask({ descriptors: [d(text)] }).plan.descriptors[0]!.rule?.requestsPerUnit ?? null;
  assert.equal(found('a=abx'), 1);
  assert.equal(found('a=abcX'), 2);
  assert.equal(found('a=other'), 4);
  assert.equal(found('a='), 4);
  assert.equal(found('A=abx'), null);
  assert.equal(found('a=white'), null);
  assert.equal(found('n=one deep=x'), 5);
  assert.equal(found('n=one'), null);
  assert.equal(found('n=two'), 6);
  assert.equal(found('n=two deep=x'), null);
  assert.equal(found('n=one deep=x deeper=y'), null);
});

test('the limit is passed, the next is over, the next window starts anew', () => {
  const bench = new Bench('domain: d\ndescriptors: [{ key: a, rate_limit: { unit: minute, requests_per_unit: 2 } }]');
  assert.equal(bench.codes(d('a=1')), 'OK OK:1');
  assert.equal(bench.codes(d('a=1')), 'OK OK:0');
  assert.equal(bench.codes(d('a=1')), 'OVER OVER:0');
  assert.equal(bench.codes(d('a=2')), 'OK OK:1');
  bench.now += 60_000;
  assert.equal(bench.codes(d('a=1')), 'OK OK:1');
});

test('addends: the request’s, the descriptor’s own, a peek, a straddling one is counted and rejected', () => {
  const bench = new Bench('domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day, requests_per_unit: 10 } }]');
  assert.equal(bench.ask({ descriptors: [d('a=1')], hitsAddend: 4 }).after[0], 4);
  assert.equal(bench.ask({ descriptors: [d('a=1', { hitsAddend: 5 })], hitsAddend: 4 }).after[0], 9);
  assert.equal(bench.codes(d('a=1', { hitsAddend: 0 })), 'OK OK:1');
  assert.equal(bench.codes(d('a=1', { hitsAddend: 3 })), 'OVER OVER:0');
  assert.equal(bench.codes(d('a=1', { hitsAddend: 0 })), 'OVER OVER:0');
  assert.equal(bench.codes(d('a=2'), d('a=2')), 'OK OK:9 OK:8');
});

test('limit 0 rejects, but not a peek', () => {
  const bench = new Bench('domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day } }]');
  assert.equal(bench.codes(d('a=1', { hitsAddend: 0 })), 'OK OK:0');
  assert.equal(bench.codes(d('a=1')), 'OVER OVER:0');
});

test('an override replaces what the configuration says; a unit that is none is refused', () => {
  const bench = new Bench('domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day, requests_per_unit: 10 } }]');
  assert.equal(bench.codes(d('a=1', { limit: { requestsPerUnit: 3, unit: 4 } })), 'OK OK:2');
  assert.equal(bench.codes(d('a=1')), 'OK OK:8');
  assert.equal(bench.codes(d('b= c=x', { limit: { requestsPerUnit: 3, unit: 7 } })), 'OK OK:2');
  assert.ok([...bench.stats.limits()].some(({ key }) => key === 'd.b.c_x'));
  for (const unit of [0, 8, 4_294_967_295]) {
    assert.throws(() => bench.codes(d('a=1', { limit: { requestsPerUnit: 1, unit } })), /invalid unit/);
  }
});

test('refused requests', () => {
  const bench = new Bench('domain: d\ndescriptors: []');
  assert.throws(() => bench.ask({ domain: '' }), /rate limit domain must not be empty/);
  assert.throws(() => bench.ask({}), /rate limit descriptor list must not be empty/);
  const empty = new LimitService(new RateLimiter(bench.store, bench, bench.stats, null), bench.stats, plain);
  empty.answerRequest({ domain: 'd', descriptors: [d('a=1')], hitsAddend: 0 }, (_outcome, error) => {
    assert.equal(error, 'no rate limit configuration loaded');
  });
});

test('an unknown domain limits nothing and is counted', () => {
  const bench = new Bench('domain: d\ndescriptors: []');
  const { code, plan } = bench.ask({
    domain: 'e',
    descriptors: [d('a=1', { limit: { requestsPerUnit: 0, unit: 1 } })],
  });
  assert.equal(code, 1);
  assert.equal(plan.descriptors[0]!.rule, null);
  assert.equal(bench.stats.domainsNotFound.get('e'), 1);
});

test('unlimited, shadow and replaces', () => {
  const bench = new Bench(`
domain: d
descriptors:
- { key: free, rate_limit: { unlimited: true, name: free, replaces: [{ name: base }] } }
- { key: base, rate_limit: { unit: day, requests_per_unit: 1, name: base } }
- { key: shadow, shadow_mode: true, rate_limit: { unit: day, requests_per_unit: 0 } }
`);
  assert.equal(bench.codes(d('free=1')), 'OK OK:4294967295');
  assert.equal(bench.codes(d('base=1'), d('free=1')), 'OK OK:0 OK:4294967295');
  assert.equal(bench.store.keys.length, 0);
  assert.equal(bench.codes(d('shadow=1')), 'OK OK:0');
  const shadow = [...bench.stats.limits()].find(({ key }) => key === 'd.shadow')!;
  assert.deepEqual([shadow.overLimit, shadow.shadowMode], [1, 1]);
});

test('quotas reject only together', () => {
  const yaml = `
domain: d
descriptors:
- { key: q0, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 0 } }
- { key: q9, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 9 } }
- { key: hard, rate_limit: { unit: day, requests_per_unit: 0 } }
`;
  assert.equal(new Bench(yaml).codes(d('q0=1'), d('q9=1')), 'OK OVER:0 OK:8');
  assert.equal(new Bench(yaml).codes(d('q0=1')), 'OVER OVER:0');
  assert.equal(new Bench(yaml).codes(d('q9=1'), d('hard=1')), 'OVER OK:8 OVER:0');
  assert.equal(new Bench(yaml, { quotaMode: true }).codes(d('hard=1'), d('none=1')), 'OK OVER:0 OK:0');
});

test('SHADOW_MODE changes the overall code only', () => {
  const bench = new Bench('domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day } }]', { shadowMode: true });
  assert.equal(bench.codes(d('a=1')), 'OK OVER:0');
  assert.equal(bench.stats.globalShadowMode, 1);
});

test('headers tell of the last limit that is over, else of the nearest', () => {
  const names = { limit: 'L', remaining: 'R', reset: 'S' };
  const bench = new Bench(
    `
domain: d
descriptors:
- { key: a, rate_limit: { unit: day, requests_per_unit: 9 } }
- { key: b, rate_limit: { unit: minute, requests_per_unit: 5 } }
- { key: zero, rate_limit: { unit: hour } }
`,
    { headers: names },
  );
  bench.now = 1_795_291_200_000 + 40_000;
  assert.deepEqual(bench.ask({ descriptors: [d('a=1'), d('b=1')] }).headers, ['L', '5', 'R', '4', 'S', '20']);
  assert.deepEqual(bench.ask({ descriptors: [d('zero=1'), d('b=1')] }).headers, ['L', '0', 'R', '0', 'S', '3560']);
  assert.deepEqual(bench.ask({ descriptors: [d('none=1')] }).headers, []);
});

test('the local cache answers for keys that are over, until the window ends or the limit is raised', () => {
  const yaml = 'domain: d\ndescriptors: [{ key: a, rate_limit: { unit: minute, requests_per_unit: 1 } }]';
  const bench = new Bench(yaml, {}, new LocalCache(1000));
  bench.codes(d('a=1'));
  assert.equal(bench.codes(d('a=1')), 'OVER OVER:0');
  assert.equal(bench.codes(d('a=1')), 'OVER OVER:0');
  assert.equal(bench.store.keys.length, 2);
  const stats = [...bench.stats.limits()].find(({ key }) => key === 'd.a')!;
  assert.deepEqual([stats.totalHits, stats.overLimit, stats.overLimitWithLocalCache], [3, 2, 1]);
  assert.equal(bench.codes(d('a=1', { limit: { requestsPerUnit: 5, unit: 2 } })), 'OK OK:2');
  bench.now += 60_000;
  assert.equal(bench.codes(d('a=1')), 'OK OK:0');
});

test('statistics names: detailed_metric, value_to_metric, share_threshold', () => {
  const bench = new Bench(`
domain: d
descriptors:
- { key: a, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 1 } }
- key: v
  value_to_metric: true
  descriptors: [{ key: w, rate_limit: { unit: day, requests_per_unit: 1 } }]
- { key: s, value: f/*, share_threshold: true, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 1 } }
`);
  bench.ask({ descriptors: [d('a=10.0.0.1'), d('v=x w=y'), d('s=f/1'), d('a=')] });
  const used = [...bench.stats.limits()].filter(({ totalHits }) => totalHits > 0).map(({ key }) => key);
  assert.deepEqual(used.sort(), ['d.a_', 'd.a_10_0_0_1', 'd.s_f/*', 'd.v_x.w']);
});

test('STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: a rejected request does not use up its other limits', () => {
  const yaml = `
domain: d
descriptors:
- { key: three, rate_limit: { unit: day, requests_per_unit: 3 } }
- { key: ten, rate_limit: { unit: day, requests_per_unit: 10 } }
`;
  for (const cache of [null, new LocalCache(1000)]) {
    const bench = new Bench(yaml, {}, cache, true);
    for (let i = 0; i < 3; i++) assert.match(bench.codes(d('three=1'), d('ten=1')), /^OK/);
    for (let i = 0; i < 3; i++) assert.equal(bench.codes(d('three=1'), d('ten=1')), 'OVER OVER:0 OK:7');
    assert.equal(bench.codes(d('ten=1')), 'OK OK:6');
  }
});
