import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildLimitConfig } from '#ratelimit/config/build-config.ts';
import type { FailureMode } from '#ratelimit/config/failure-mode.ts';
import { parseLimitYaml } from '#ratelimit/config/yaml-file.ts';
import { FailedCalls } from '#ratelimit/limiter/failed-calls.ts';
import { type PlanOptions, planRequest } from '#ratelimit/limiter/plan.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { descriptorCode, limitRemaining, overallCode, secondsUntilReset } from '#ratelimit/limiter/verdict.ts';
import type { CounterStore, CounterWaiter } from '#ratelimit/store/counter-store.ts';
import { LocalEstimate } from '#ratelimit/store/local-estimate.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import type { Take } from '#ratelimit/store/take.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

/** A store that fails for keys with `gone` in them. */
class HalfGone extends MemoryStore {
  override add(...args: Parameters<CounterStore['add']>): void {
    if (args[0].includes('gone')) args[4].onCounterError(args[5], 'redis: away');
    else super.add(...args);
  }

  override take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    if (takes.some(({ key }) => key.includes('gone'))) {
      for (const { index } of takes) waiter.onCounterError(index, 'redis: away');
    } else super.take(takes, allOrNothing, waiter);
  }
}

const yaml = `
domain: d
descriptors:
  - { key: here, rate_limit: { unit: minute, requests_per_unit: 3 } }
  - { key: gone, rate_limit: { unit: minute, requests_per_unit: 4 } }
  - { key: shadow_gone, shadow_mode: true, rate_limit: { unit: minute, requests_per_unit: 4 } }
  - { key: bucket_gone, rate_limit: { unit: minute, requests_per_unit: 4, algorithm: gcra } }
  - key: both_gone
    rate_limits: [{ unit: second, requests_per_unit: 2 }, { unit: minute, requests_per_unit: 5 }]
  - { key: free }
`;

class World {
  readonly stats: StatsStore = new StatsStore();
  readonly #limiter: RateLimiter;
  readonly #config: ReturnType<typeof buildLimitConfig>;
  readonly #options: PlanOptions;

  constructor(mode: FailureMode, allOrNothing = false, text = yaml) {
    const wall = new VirtualWall();
    const failures = new FailedCalls(this.stats.redis, new LocalEstimate(wall, 1, 4), () => allOrNothing);
    const store = new HalfGone(wall);
    this.#limiter = new RateLimiter(store, wall, this.stats, null, false, allOrNothing, failures);
    this.#config = buildLimitConfig([parseLimitYaml('f', text)], { mergeDomains: false, stats: this.stats });
    this.#options = { keyPrefix: '', nearLimitRatio: 0.8, quotaMode: false, failureMode: mode };
  }

  /** `overall: code/limit/remaining/reset, ...`, or the error. */
  ask(...keys: readonly string[]): string {
    const descriptors = keys.map((key) => {
      const refund = key.startsWith('-');
      const entries = [{ key: key.replace('-', ''), value: '' }];
      return { entries, limit: null, hitsAddend: null, isNegativeHits: refund };
    });
    const plan = planRequest(this.#config, { domain: 'd', descriptors, hitsAddend: 0 }, this.stats, this.#options);
    let answer = '';
    this.#limiter.limit(plan, {
      onLimited: (told, after, nowSeconds) => {
        const statuses = told.descriptors.map((each, i) => {
          if (each.rule === null) return String(descriptorCode(each, after[i]!));
          const remaining = limitRemaining(each, after[i]!);
          const reset = secondsUntilReset(each, nowSeconds);
          return `${descriptorCode(each, after[i]!)}/${each.rule.requestsPerUnit}/${remaining}/${reset}`;
        });
        answer = `${overallCode(told, after)}: ${statuses.join(', ')}`;
      },
      onLimitError: (message) => {
        answer = message;
      },
    });
    return answer;
  }
}

test('error: the caller is told', () => {
  const world = new World('error');
  assert.equal(world.ask('here', 'gone'), 'redis: away');
  assert.equal(world.ask('free'), '1: 1');
  assert.equal(world.stats.redisError, 1);
});

test('open: let through, without numbers that nobody knows; what is known to be over still rejects', () => {
  const world = new World('open');
  assert.equal(world.ask('gone'), '1: 1');
  assert.equal(world.ask('both_gone'), '1: 1');
  assert.equal(world.ask('bucket_gone', 'free', 'here'), '1: 1, 1, 1/3/2/29');
  assert.equal(world.ask('here', 'gone'), '1: 1/3/1/29, 1');
  assert.equal(world.ask('here', 'gone'), '1: 1/3/0/29, 1');
  assert.equal(world.ask('here', 'gone'), '2: 2/3/0/29, 1');
  assert.deepEqual([world.stats.redis.failedOpen, world.stats.redisError], [6, 0]);
});

test('closed: rejected for a second, but not by a shadow rule, and giving back is never refused', () => {
  const world = new World('closed');
  assert.equal(world.ask('gone'), '2: 2/4/0/1');
  assert.equal(world.ask('both_gone', 'here'), '2: 2/2/0/1, 1/3/2/29');
  assert.equal(world.ask('bucket_gone'), '2: 2/4/0/1');
  assert.equal(world.ask('shadow_gone'), '1: 1/4/0/1');
  assert.equal(world.ask('-gone'), '1: 1/4/4/1');
  assert.equal(world.stats.redis.failedClosed, 5);
});

test('local: each limit is counted here', () => {
  const world = new World('local');
  assert.equal(world.ask('gone', 'here'), '1: 1/4/3/29, 1/3/2/29');
  for (let i = 0; i < 3; i++) world.ask('gone');
  assert.equal(world.ask('gone'), '2: 2/4/0/29');
  assert.equal(world.ask('-gone'), '1: 1/4/0/29');
  assert.equal(world.ask('bucket_gone'), '1: 1/4/3/15');
  assert.equal(world.ask('both_gone').slice(0, 10), '1: 1/2/1/1');
  assert.equal(world.stats.redis.localEstimate, 8);
  const limit = [...world.stats.limits()].find(({ key }) => key === 'd.gone')!;
  assert.deepEqual([limit.totalHits, limit.withinLimit, limit.overLimit], [5, 4, 1]);
});

test('local: an estimate that is full is an error', () => {
  const text = `
domain: d
failure_mode: local
descriptors: [${[1, 2, 3, 4, 5].map((n) => `{ key: gone${n}, rate_limit: { unit: day, requests_per_unit: 1 } }`).join(', ')}]
`;
  const world = new World('error', false, text);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((n) => world.ask(`gone${n}`).slice(0, 2)),
    ['1:', '1:', '1:', '1:', 're'],
  );
  assert.deepEqual([world.stats.redis.localEstimate, world.stats.redisError], [4, 1]);
});

test('local, all or nothing: the whole request is counted here, also what Redis gave back', () => {
  const world = new World('local', true);
  for (const remaining of [2, 1, 0]) assert.equal(world.ask('gone', 'here').split(', ')[1], `1/3/${remaining}/29`);
  assert.equal(world.ask('gone', 'here'), '2: 1/4/1/29, 2/3/0/29');
  assert.equal(world.ask('gone'), '1: 1/4/0/29', 'the request before took nothing');
});

test('a request of very many descriptors is answered in every mode', () => {
  const keys = Array.from({ length: 50_000 }, () => 'gone');
  for (const mode of ['open', 'closed', 'local'] as const) {
    const answer = new World(mode).ask(...keys);
    assert.equal(answer.slice(0, 2), mode === 'open' ? '1:' : '2:');
    assert.equal(answer.split(', ').length, keys.length);
  }
});

test('the domain says it before the environment does', () => {
  const world = new World('closed', false, yaml.replace('domain: d', 'domain: d\nfailure_mode: open'));
  assert.equal(world.ask('gone'), '1: 1');
});

const mistakes: readonly (readonly [text: string, message: RegExp])[] = [
  ['domain: d\nfailure_mode: maybe', /^f: invalid failure_mode 'maybe', it is none of error, open, closed, local$/],
  ['domain: d\ndescriptors: [{ key: a, failure_mode: open }]', /^f: config error, failure_mode belongs beside domain/],
  ['domain: d\nfailure_mode: [open]', /list of type other than map/],
];

for (const [text, message] of mistakes) {
  test(`refused: ${text.replaceAll('\n', '; ')}`, () => {
    const load = (): unknown =>
      buildLimitConfig([parseLimitYaml('f', text)], { mergeDomains: false, stats: new StatsStore() });
    assert.throws(load, ({ message: said }: Error) => message.test(said));
  });
}

test('files of one domain must agree', () => {
  const load = (second: string): unknown =>
    buildLimitConfig(
      [parseLimitYaml('a', 'domain: d\nfailure_mode: open'), parseLimitYaml('b', `domain: d\n${second}`)],
      { mergeDomains: true, stats: new StatsStore() },
    );
  load('');
  load('failure_mode: open');
  assert.throws(
    () => load('failure_mode: closed'),
    /failure_mode 'closed', but another file of the domain says 'open'/,
  );
});
