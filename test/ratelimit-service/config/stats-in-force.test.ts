import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LimitConfig } from '#ratelimit/config/build-config.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { statsInForce } from '#ratelimit/config/stats-in-force.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';

const limit = '{ unit: day, requests_per_unit: 1 }';
const yaml = (...keys: string[]): string =>
  `domain: a.b\ndescriptors:\n${keys.map((key) => `- { key: ${key}, rate_limit: ${limit} }\n`).join('')}`;

/** Keeps a configuration in force, as the service does. */
class Configured {
  readonly stats: StatsStore;
  config: LimitConfig | null = null;
  constructor(maxNames: number) {
    this.stats = new StatsStore(maxNames);
  }
  load(text: string): void {
    const before = this.config;
    try {
      this.config = loadLimitConfig([{ name: 'f', text }], false, this.stats);
      this.stats.settle(statsInForce(this.config), statsInForce(before));
    } catch {
      this.stats.settle(statsInForce(this.config), statsInForce(null));
    }
  }
  hit(key: string): void {
    this.config!.domains.get('a.b')!.children.get(key)!.rules[0]!.stats.live.totalHits++;
  }
  get names(): string[] {
    return [...this.stats.limits()].map(({ key }) => key).sort();
  }
  get hits(): number {
    return [...this.stats.limits()].reduce((sum, { totalHits }) => sum + totalHits, 0);
  }
}

test('names of limits that come and go with configurations are bounded, and no hit is lost', () => {
  const configured = new Configured(10);
  for (let i = 0; i < 500; i++) {
    configured.load(yaml('stays', `goes_${i}`));
    configured.hit('stays');
    configured.hit(`goes_${i}`);
  }
  assert.equal(configured.hits, 1000);
  assert.ok(configured.names.length <= 14, configured.names.join());
  assert.ok(configured.names.includes('a.b.other'));
  assert.equal([...configured.stats.limits()].find(({ key }) => key === 'a.b.stays')!.totalHits, 500);
});

test('a limit that comes back goes on with its counts', () => {
  const configured = new Configured(10);
  configured.load(yaml('k', 'l'));
  configured.hit('k');
  configured.load(yaml('l'));
  assert.deepEqual(configured.names, ['a.b.k', 'a.b.l']);
  configured.load(yaml('k'));
  configured.hit('k');
  assert.equal([...configured.stats.limits()].find(({ key }) => key === 'a.b.k')!.totalHits, 2);
});

test('a refused configuration leaves no names behind', () => {
  const configured = new Configured(10);
  configured.load(yaml('k'));
  configured.hit('k');
  for (let i = 0; i < 100; i++) configured.load(`${yaml('k', `new_${i}`)}- { value: nothing }\n`);
  assert.deepEqual(configured.names, ['a.b.k']);
  assert.equal(configured.hits, 1);
  const unbounded = new Configured(0);
  unbounded.load(yaml('k'));
  unbounded.hit('k');
  unbounded.load(yaml('l'));
  assert.deepEqual(unbounded.names, ['a.b.l', 'a.b.other']);
  assert.equal(unbounded.hits, 1);
});
