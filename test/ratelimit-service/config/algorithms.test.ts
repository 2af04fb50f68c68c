import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LimitConfig } from '#ratelimit/config/build-config.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import type { LimitRule } from '#ratelimit/config/rule.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { describeConfig } from '#ratelimit/service/debug-api.ts';

function load(descriptors: string, domain = 'd'): LimitConfig {
  const text = `domain: ${domain}\ndescriptors:\n${descriptors}\n`;
  return loadLimitConfig([{ name: 'a.yaml', text }], false, new StatsStore());
}

function rules(descriptor: string): readonly LimitRule[] {
  return [...load(descriptor).domains.get('d')!.children.values()][0]!.rules;
}

test('algorithms by name in any case, windows by unit and multiplier', () => {
  const cases: readonly (readonly [text: string, tag: string, seconds: number, capacity: number])[] = [
    ['unit: minute, requests_per_unit: 5', '', 60, 5],
    ['unit: minute, requests_per_unit: 5, algorithm: fixed_window, unit_multiplier: 1', '', 60, 5],
    ['unit: minute, requests_per_unit: 5, unit_multiplier: 5', 'w300:', 300, 5],
    ['unit: second, requests_per_unit: 5, algorithm: Sliding_Window', 's1:', 1, 5],
    ['unit: hour, requests_per_unit: 5, algorithm: gcra', 'g3600:', 3600, 5],
    ['unit: hour, requests_per_unit: 5, algorithm: token_bucket, burst: 50', 'g3600:', 3600, 50],
    ['unit: second, unit_multiplier: 30, requests_per_unit: 5, algorithm: concurrency', 'c30:', 30, 5],
  ];
  for (const [text, tag, seconds, capacity] of cases) {
    const [rule] = rules(`- { key: a, rate_limit: { ${text} } }`);
    assert.deepEqual([rule!.keyTag, rule!.windowSeconds, rule!.take.capacity], [tag, seconds, capacity], text);
  }
});

test('/rlconfig tells what the reference has not', () => {
  const text = describeConfig(
    load(
      '- { key: a, rate_limit: { unit: second, unit_multiplier: 5, requests_per_unit: 3, algorithm: gcra, burst: 9 } }',
    ),
  );
  assert.equal(
    text,
    'd.a: unit=SECOND requests_per_unit=3, shadow_mode: false, quota_mode: false, algorithm: gcra, window: 5s, capacity: 9\n',
  );
});

test('several limits on one descriptor have statistics and keys of their own', () => {
  const found = rules(`- key: a
  rate_limits:
  - { unit: second, requests_per_unit: 5 }
  - { unit: day, requests_per_unit: 1000, name: daily }`);
  assert.deepEqual(
    found.map(({ fullKey, keyTag, name }) => [fullKey, keyTag, name]),
    [
      ['d.a.w1', 'w1:', ''],
      ['d.a.w86400', 'w86400:', 'daily'],
    ],
  );
});

const refused: readonly (readonly [descriptor: string, problem: string])[] = [
  [
    '- { key: a, rate_limit: { unit: day, algorithm: leaky } }',
    "line 3: invalid algorithm 'leaky', it is none of fixed_window, sliding_window, gcra, token_bucket, concurrency",
  ],
  [
    '- key: a\n  rate_limit:\n    unit: day\n    burst: 5',
    'line 5: burst can only be used with the algorithms gcra and token_bucket',
  ],
  ['- { key: a, rate_limit: { unit: day, algorithm: gcra, burst: 0 } }', 'line 3: burst must be at least 1'],
  [
    '- { key: a, rate_limit: { unit: day, algorithm: gcra, burst: 5 } }',
    'line 3: burst needs requests_per_unit, or it would never come back',
  ],
  ['- { key: a, rate_limit: { unit: day, unit_multiplier: 0 } }', 'line 3: unit_multiplier must be at least 1'],
  [
    '- { key: a, rate_limit: { unit: year, unit_multiplier: 101 } }',
    'line 3: the window is longer than a hundred years',
  ],
  [
    '- { key: a, rate_limit: { unlimited: true, algorithm: gcra } }',
    'line 3: should not specify algorithm when unlimited',
  ],
  [
    '- { key: a, rate_limit: { unlimited: true, unit_multiplier: 2 } }',
    'line 3: should not specify unit_multiplier when unlimited',
  ],
  [
    '- key: a\n  rate_limit: { unit: day }\n  rate_limits: [{ unit: second }]',
    'line 4: rate_limit cannot be used together with rate_limits',
  ],
  ['- key: a\n  rate_limits:\n  - { unit: day }\n  - { unlimited: true }', 'line 6: rate_limits cannot be unlimited'],
  [
    '- key: a\n  rate_limits:\n  - { unit: minute, unit_multiplier: 60 }\n  - { unit: hour }',
    'line 6: rate_limits has two limits of one algorithm and window',
  ],
  ['- { key: a, rate_limits: [{ unit: fortnight }] }', "invalid rate limit unit 'fortnight'"],
  [
    '- key: a\n  rate_limits: 5',
    'error loading config file: yaml: unmarshal errors:\n  line 4: cannot unmarshal !!int `5` into []config.YamlRateLimit',
  ],
  ['- { key: a, rate_limits: [5] }', 'config error, yaml file contains list of type other than map: 5'],
  [
    '- key: a\n  rate_limit:\n    unit: day\n    unit_multiplier: x\n    burst: -1\n    algorithm: [{ key: gcra }]',
    'error loading config file: yaml: unmarshal errors:\n  line 6: cannot unmarshal !!str `x` into uint32\n  line 7: cannot unmarshal !!int `-1` into uint32\n  line 8: cannot unmarshal !!seq into string',
  ],
  ['- { key: a, rate_limit: { unit: day, algoritm: gcra } }', "config error, unknown key 'algoritm'"],
];

for (const [descriptor, problem] of refused) {
  test(`refused: ${problem.split('\n').at(-1)!.trim()}`, () => {
    assert.throws(
      () => load(descriptor),
      (error: Error) => {
        assert.equal(error.message, `a.yaml: ${problem}`);
        return true;
      },
    );
  });
}

test('rules that can count on one key are named', () => {
  const limit = 'rate_limit: { unit: day, requests_per_unit: 1 }';
  const warned = (descriptors: string): string[] =>
    load(descriptors).warnings.map((warning) =>
      [...warning.matchAll(/'(d\.[^']*)'/g)].map(([, name]) => name).join(' & '),
    );
  assert.deepEqual(warned(`- { key: a, value: b_c, ${limit} }\n- { key: x, ${limit} }`), []);
  assert.deepEqual(warned(`- { key: a, ${limit} }\n- { key: a_b, value: x*y, ${limit} }`), ['d.a & d.a_b_x*y']);
  assert.deepEqual(
    warned(
      `- { key: a, value: b_c_d, ${limit} }\n- { key: a, value: b, descriptors: [{ key: c, value: d, ${limit} }] }`,
    ),
    ['d.a_b_c_d & d.a_b.c_d'],
  );
  // Another window or algorithm that the reference does not know has keys of its own.
  assert.deepEqual(
    warned(
      `- { key: a, ${limit} }\n- { key: a_b, value: x, rate_limit: { unit: day, algorithm: gcra, requests_per_unit: 1 } }`,
    ),
    [],
  );
  const many = Array.from({ length: 60 }, (_, i) => `- { key: a_${i}, value: v, ${limit} }`).join('\n');
  const warnings = load(`- { key: a, ${limit} }\n${many}`).warnings;
  assert.equal(warnings.length, 21);
  assert.match(warnings.at(-1)!, /^40 more pairs/);
});

test('two domains whose names begin alike can share keys', () => {
  const stats = new StatsStore();
  const limit = 'rate_limit: { unit: day, requests_per_unit: 1 }';
  const files = [
    { name: 'a.yaml', text: `domain: d\ndescriptors: [{ key: e_k, ${limit} }]` },
    { name: 'b.yaml', text: `domain: d_e\ndescriptors: [{ key: k, ${limit} }]` },
  ];
  assert.match(loadLimitConfig(files, false, stats).warnings[0]!, /'d\.e_k' and 'd_e\.k'/);
});
