import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exemption } from '#ratelimit/admin/exemption.ts';
import { ExemptionList } from '#ratelimit/admin/exemption-list.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { descriptorCode, limitRemaining } from '#ratelimit/limiter/verdict.ts';
import { LimitService } from '#ratelimit/service/limit-service.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const rules = `domain: d
descriptors:
  - key: ip
    rate_limit: { unit: day, requests_per_unit: 0 }
    descriptors:
      - { key: path, rate_limit: { unit: day, requests_per_unit: 0 } }
  - { key: tenant, rate_limits: [{ unit: second, requests_per_unit: 0 }, { unit: day, requests_per_unit: 0 }] }
  - { key: user, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 0 } }
  - { key: named, rate_limit: { unit: day, requests_per_unit: 0, name: a, replaces: [{ name: b }] } }
  - { key: other, rate_limit: { unit: day, requests_per_unit: 0, name: b } }
`;

class Bench {
  readonly time: VirtualTime = new VirtualTime();
  readonly stats: StatsStore = new StatsStore();
  readonly service: LimitService;
  readonly exemptions: ExemptionList;
  changes = 0;

  constructor() {
    const { time, stats } = this;
    this.exemptions = new ExemptionList(time, time.timers, () => {
      this.changes++;
      this.service.forgetPlans();
    });
    this.service = new LimitService(new RateLimiter(new MemoryStore(time), time, stats, null), stats, {
      keyPrefix: '',
      nearLimitRatio: 0.8,
      quotaMode: false,
      shadowMode: false,
      headers: null,
      exemptions: this.exemptions,
    });
    this.service.setConfig(loadLimitConfig([{ name: 'a.yaml', text: rules }], false, stats));
  }

  /** Lets these through for a minute. */
  exempt(...wishes: Partial<Exemption>[]): void {
    const base = { domain: 'd', scope: 'descriptor', descriptor: [], rule: '', reason: '', by: 'test' } as const;
    const until_ms = this.time.wallMs() + 60_000;
    this.exemptions.replace(wishes.map((wish, i) => ({ ...base, id: `${i}`, until_ms, ...wish })));
  }

  /** `OK` or `OVER`, with ` all` when what remains is without bound, for each descriptor. */
  ask(...descriptors: string[]): string[] {
    let answer: string[] = ['no answer'];
    this.service.answerRequest(
      {
        domain: 'd',
        hitsAddend: 0,
        descriptors: descriptors.map((text) => ({
          entries: text.split(' ').map((pair) => ({ key: pair.split('=')[0]!, value: pair.split('=')[1] ?? '' })),
          limit: null,
          hitsAddend: null,
        })),
      },
      (outcome, error) => {
        if (outcome === null) answer = [error];
        else {
          answer = outcome.plan.descriptors.map((each, i) => {
            const after = outcome.after[i]!;
            const all = limitRemaining(each, after) === 0xffff_ffff ? ' all' : '';
            return (descriptorCode(each, after) === 2 ? 'OVER' : 'OK') + all;
          });
        }
      },
    );
    return answer;
  }
}

const entries = (text: string): Exemption['descriptor'] =>
  text.split(' ').map((pair) => {
    const [key = '', value] = pair.split('=');
    return value === undefined ? { key } : { key, value };
  });

const cases: readonly {
  readonly name: string;
  readonly wish: Partial<Exemption>;
  readonly through: readonly string[];
  readonly not: readonly string[];
  /** Hits that are counted as let through, when not one for each of `through`. */
  readonly hits?: number;
}[] = [
  { name: 'a descriptor', wish: { descriptor: entries('ip=1') }, through: ['ip=1'], not: ['ip=2', 'ip=1 path=/'] },
  {
    name: 'a descriptor of two entries',
    wish: { descriptor: entries('ip=1 path=/a') },
    through: ['ip=1 path=/a'],
    not: ['ip=1', 'ip=1 path=/b', 'ip=2 path=/a'],
  },
  {
    name: 'a prefix',
    wish: { scope: 'prefix', descriptor: entries('ip=1') },
    through: ['ip=1', 'ip=1 path=/'],
    not: ['ip=2', 'ip=2 path=/', 'tenant=1'],
  },
  {
    name: 'a whole domain',
    wish: { scope: 'prefix' },
    through: ['ip=1', 'ip=2 path=/', 'tenant=1', 'user=1'],
    not: [],
    hits: 5, // a tenant has two limits
  },
  {
    name: 'any value',
    wish: { descriptor: entries('ip path') },
    through: ['ip=1 path=/', 'ip=2 path=/x'],
    not: ['ip=1', 'tenant=1'],
  },
  {
    name: 'a pattern',
    wish: { scope: 'prefix', descriptor: entries('ip=10.*') },
    through: ['ip=10.1', 'ip=10.2 path=/'],
    not: ['ip=11.1'],
  },
  { name: 'a rule', wish: { scope: 'rule', rule: 'd.ip.path' }, through: ['ip=1 path=/'], not: ['ip=1'] },
  {
    name: 'a rule whose statistics have names of requests',
    wish: { scope: 'rule', rule: 'd.user' },
    through: ['user=1', 'user=2'],
    not: ['ip=1'],
  },
  {
    name: 'one of several limits',
    wish: { scope: 'rule', rule: 'd.tenant.w1' },
    through: [],
    not: ['tenant=1'],
    hits: 1,
  },
  { name: 'another domain', wish: { domain: 'e', descriptor: entries('ip=1') }, through: [], not: ['ip=1'] },
];

for (const { name, wish, through, not, hits } of cases) {
  test(`${name} is let through like what is unlimited, and nothing else`, () => {
    const bench = new Bench();
    bench.exempt(wish);
    for (const text of through) assert.deepEqual(bench.ask(text), ['OK all'], text);
    for (const text of not) assert.deepEqual(bench.ask(text), ['OVER'], text);
    const exempted = [...bench.stats.limits()].reduce((sum, limit) => sum + limit.exempted, 0);
    assert.equal(exempted, hits ?? through.length);
  });
}

test('a rule that is exempt still replaces others', () => {
  const bench = new Bench();
  bench.exempt({ descriptor: entries('named=1') });
  assert.deepEqual(bench.ask('named=1', 'other=1'), ['OK all', 'OK']);
});

test('an exemption ends by itself, and plans that were made with it with it', () => {
  const bench = new Bench();
  bench.exempt({ descriptor: entries('ip=1') }, { descriptor: entries('ip=2') });
  bench.exemptions.replace(
    bench.exemptions.all.map((each, i) => ({ ...each, until_ms: bench.time.wallMs() + (i + 1) * 30_000 })),
  );
  assert.deepEqual(bench.ask('ip=1', 'ip=2'), ['OK all', 'OK all']);
  const before = bench.changes;
  bench.time.advance(30_016);
  assert.equal(bench.changes, before + 1);
  assert.deepEqual(bench.ask('ip=1', 'ip=2'), ['OVER', 'OK all']);
  bench.time.advance(30_016);
  assert.equal(bench.exemptions.size, 0);
  assert.deepEqual(bench.ask('ip=1', 'ip=2'), ['OVER', 'OVER']);
});

test('one that lasts longer than a timer may be armed for ends in time as well', () => {
  const bench = new Bench();
  bench.exempt({ descriptor: entries('ip=1'), until_ms: bench.time.wallMs() + 3_601_000 });
  bench.time.advance(3_600_000);
  assert.deepEqual(bench.ask('ip=1'), ['OK all']);
  bench.time.advance(1016);
  assert.deepEqual(bench.ask('ip=1'), ['OVER']);
});
