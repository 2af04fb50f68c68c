import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import type { LimitRule } from '#ratelimit/config/rule.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { createBucketId } from '#ratelimit/quota/bucket-id.ts';
import { fairLevel } from '#ratelimit/quota/fair-share.ts';
import { matchBucket } from '#ratelimit/quota/match-bucket.ts';
import { quotaLimit } from '#ratelimit/quota/quota-limit.ts';
import { rateStrategy, wholeRate } from '#ratelimit/quota/rate-strategy.ts';

test('max-min: small wants are met, the rest is shared evenly, nothing is left over while somebody wants it', () => {
  const random = createSeededRandom(1);
  assert.equal(fairLevel([1, 2, 3], 6), Number.POSITIVE_INFINITY);
  assert.equal(fairLevel([10, 1, 10], 9), 4);
  assert.equal(fairLevel([], 5), Number.POSITIVE_INFINITY);
  assert.equal(fairLevel([3, 3], 0), 0);
  for (let i = 0; i < 500; i++) {
    const wants = Array.from({ length: 1 + (random.uint32() % 20) }, () => random.uint32() % 100);
    const capacity = random.uint32() % 1000;
    const total = wants.reduce((sum, each) => sum + each, 0);
    const level = fairLevel(wants, capacity);
    const given = wants.reduce((sum, each) => sum + Math.min(each, level), 0);
    assert.ok(Math.abs(given - Math.min(total, capacity)) < 1e-6);
  }
});

function config(text: string): ReturnType<typeof loadLimitConfig> {
  return loadLimitConfig([{ name: 'a', text }], false, new StatsStore());
}

function ruleOf(text: string): LimitRule {
  const node = config(`domain: d\ndescriptors: [{ key: k, rate_limit: { ${text} } }]`)
    .domains.get('d')!
    .children.get('k')!;
  return node.rules[0]!;
}

test('a share of a rate as a token bucket never gives more than the share', () => {
  for (const text of [
    'unit: second, requests_per_unit: 100',
    'unit: second, requests_per_unit: 1',
    'unit: second, unit_multiplier: 7, requests_per_unit: 10',
    'unit: second, unit_multiplier: 10, requests_per_unit: 3, algorithm: sliding_window',
    'unit: second, requests_per_unit: 50, algorithm: gcra, burst: 200',
  ]) {
    const limit = quotaLimit(ruleOf(text))!;
    assert.equal(limit.kind, 'rate');
    const { windowSeconds } = limit.rule;
    for (let units = 0; units <= limit.capacity; units += 1 + Math.floor(limit.capacity / 300)) {
      const whole = wholeRate(limit, units);
      assert.ok(whole <= units && whole >= units / 2 - 1, `${text}: ${units} ${whole}`);
      const strategy = rateStrategy(limit, whole);
      if (whole < 1) assert.equal(strategy.kind, 'deny');
      else {
        assert.ok(strategy.kind === 'tokens');
        const { maxTokens, tokensPerFill, fillSeconds } = strategy;
        assert.ok([maxTokens, tokensPerFill, fillSeconds].every((each) => Number.isInteger(each) && each >= 1));
        const perWindow = (tokensPerFill / fillSeconds) * windowSeconds;
        const share = whole / limit.unitsPerRequest;
        assert.ok(perWindow <= share + 1e-9, `${text}: ${perWindow} of ${share}`);
        if (limit.rule.take.algorithm !== 2) assert.ok(perWindow >= share * 0.75, `${text}: ${perWindow} of ${share}`);
        else if (share >= 2) assert.ok(perWindow + maxTokens <= share + 1e-9, `sliding: ${perWindow} + ${maxTokens}`);
        assert.ok(maxTokens <= Math.max(1, (whole / limit.capacity) * limit.rule.take.capacity));
      }
    }
  }
});

test('rules without a number of requests over time are not divided', () => {
  assert.equal(quotaLimit(ruleOf('unlimited: true')), null);
  assert.equal(quotaLimit(ruleOf('unit: minute, requests_per_unit: 4, algorithm: concurrency')), null);
  assert.equal(quotaLimit(ruleOf('unit: minute, requests_per_unit: 4'))!.kind, 'tokens');
});

test('an id has no order: its entries are tried as the configuration nests them', () => {
  const tree = config(`
domain: d
descriptors:
  - key: a
    descriptors:
      - { key: z, rate_limit: { unit: minute, requests_per_unit: 1 } }
      - key: b
        value: x*
        descriptors:
          - { key: c, value: "1", rate_limit: { unit: minute, requests_per_unit: 2 } }
  - key: c
    rate_limit: { unit: minute, requests_per_unit: 3 }
    descriptors:
      - { key: a, rate_limit: { unit: minute, requests_per_unit: 4 } }
`);
  const find = (...pairs: string[]): string => {
    const id = createBucketId(pairs.map((pair) => ({ key: pair.split('=')[0]!, value: pair.split('=')[1]! })));
    const matched = matchBucket(tree, 'd', id, new StatsStore());
    const order = matched?.entries.map(({ key }) => key).join(' ');
    return matched === null ? 'none' : `${order}: ${matched.found.rules[0]!.requestsPerUnit}`;
  };
  assert.equal(find('z=1', 'a=2'), 'a z: 1');
  assert.equal(find('c=1', 'b=xyz', 'a=5'), 'a b c: 2');
  assert.equal(find('c=1'), 'c: 3');
  assert.equal(find('a=1', 'c=2'), 'c a: 4');
  assert.equal(find('a=1'), 'none');
  assert.equal(find('a=1', 'b=y', 'c=1'), 'none');
  assert.equal(find('a=1', 'z=1', 'more=1'), 'none');
});

test('a configuration that matches in very many orders is given up on in time', () => {
  let nested = '{ key: "*", rate_limit: { unit: minute, requests_per_unit: 1 } }';
  for (let i = 0; i < 20; i++) nested = `{ key: "*", descriptors: [${nested}] }`;
  const tree = config(`domain: d\ndescriptors: [${nested}]`);
  const id = createBucketId(Array.from({ length: 16 }, (_, i) => ({ key: `k${i}`, value: '' })));
  assert.equal(matchBucket(tree, 'd', id, new StatsStore()), null);
});
