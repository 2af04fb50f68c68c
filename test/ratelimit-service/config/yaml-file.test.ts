import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LimitConfig } from '#ratelimit/config/build-config.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { describeConfig } from '#ratelimit/service/debug-api.ts';

function load(...texts: string[]): LimitConfig {
  const files = texts.map((text, i) => ({ name: i === 0 ? 'a.yaml' : `b${i}.yaml`, text }));
  return loadLimitConfig(files, false, new StatsStore());
}

function rules(text: string): string {
  return describeConfig(load(text));
}

const limit = 'rate_limit: { unit: minute, requests_per_unit: 5 }';

test('a file becomes a tree of limits', () => {
  const text = `
domain: d
descriptors:
- key: a
  ${limit}
  descriptors:
  - key: b
    value: x
    shadow_mode: yes
    rate_limit: { unit: DAY, requests_per_unit: 1_000 }
- key: free
  rate_limit: { unlimited: true }
- key: zip
  value: 0123
  quota_mode: on
  rate_limit: { unit: week }
- key: none
  rate_limit:
  descriptors:
`;
  assert.equal(
    rules(text),
    `d.a: unit=MINUTE requests_per_unit=5, shadow_mode: false, quota_mode: false
d.a.b_x: unit=DAY requests_per_unit=1000, shadow_mode: true, quota_mode: false
d.free: unit=UNKNOWN requests_per_unit=0, shadow_mode: false, quota_mode: false
d.zip_0123: unit=WEEK requests_per_unit=0, shadow_mode: false, quota_mode: true
`,
  );
});

test('YAML 1.1: anchors, merges, hexadecimal, last of equal keys, first document only', () => {
  const text = `
domain: d
descriptors:
- key: a
  rate_limit: &l { unit: minute, requests_per_unit: 0x10 }
- key: b
  rate_limit: *l
- key: c
  rate_limit: { <<: *l, unit: hour }
- key: d
  value: one
  value: yes
  rate_limit: *l
- key: e
  unit: ignored here
---
domain: ignored
`;
  assert.equal(
    rules(text),
    `d.a: unit=MINUTE requests_per_unit=16, shadow_mode: false, quota_mode: false
d.b: unit=MINUTE requests_per_unit=16, shadow_mode: false, quota_mode: false
d.c: unit=HOUR requests_per_unit=16, shadow_mode: false, quota_mode: false
d.d_yes: unit=MINUTE requests_per_unit=16, shadow_mode: false, quota_mode: false
`,
  );
});

const wrong: readonly [name: string, yaml: string, message: string][] = [
  ['empty file', '', 'a.yaml: config file cannot have empty domain'],
  ['no domain', 'descriptors: []', 'a.yaml: config file cannot have empty domain'],
  ['no key', 'domain: d\ndescriptors:\n- value: x', 'a.yaml: descriptor has empty key'],
  [
    'same key and value twice',
    'domain: test-domain\ndescriptors:\n- { key: key1, value: value1 }\n- { key: key1, value: value1 }',
    "a.yaml: duplicate descriptor composite key 'test-domain.key1_value1'",
  ],
  [
    'a key that reads like key and value',
    'domain: d\ndescriptors:\n- { key: a_b }\n- { key: a, value: b }',
    "a.yaml: duplicate descriptor composite key 'd.a_b'",
  ],
  ['no unit', 'domain: d\ndescriptors:\n- { key: a, rate_limit: {} }', "a.yaml: invalid rate limit unit ''"],
  [
    'bad unit',
    'domain: d\ndescriptors:\n- { key: a, rate_limit: { unit: foo } }',
    "a.yaml: invalid rate limit unit 'foo'",
  ],
  [
    'unit unknown',
    'domain: d\ndescriptors:\n- { key: a, rate_limit: { unit: unknown } }',
    "a.yaml: invalid rate limit unit 'unknown'",
  ],
  [
    'unlimited with a unit',
    'domain: d\ndescriptors:\n- { key: a, rate_limit: { unlimited: true, unit: day } }',
    'a.yaml: should not specify rate limit unit when unlimited',
  ],
  [
    'empty replaces',
    "domain: d\ndescriptors:\n- { key: a, rate_limit: { unit: day, replaces: [{ name: '' }] } }",
    'a.yaml: should not have an empty replaces entry',
  ],
  [
    'replaces itself',
    'domain: d\ndescriptors:\n- { key: a, rate_limit: { unit: day, name: n, replaces: [{ name: n }] } }',
    'a.yaml: replaces should not contain name of same descriptor',
  ],
  [
    'share_threshold without a star',
    'domain: d\ndescriptors:\n- { key: a, value: b, share_threshold: true }',
    "a.yaml: share_threshold can only be used with wildcard values (containing '*'), but found key 'a_b'",
  ],
  ['numeric key', 'domain: d\n1: x', 'a.yaml: config error, key is not of type string: 1'],
  [
    'unknown key',
    'domain: d\ndescriptors:\n- { key: a, ratelimit: {} }',
    "a.yaml: config error, unknown key 'ratelimit'",
  ],
  [
    'list of scalars',
    'domain: d\ndescriptors:\n- one',
    'a.yaml: config error, yaml file contains list of type other than map: one',
  ],
  ['a float', 'domain: d\ndescriptors:\n- { key: a, value: 1.5 }', 'a.yaml: error checking config'],
  [
    'a float that is whole',
    'domain: d\ndescriptors:\n- { key: a, rate_limit: { unit: day, requests_per_unit: 5.0 } }',
    'a.yaml: error checking config',
  ],
  [
    'text for a number',
    "domain: d\ndescriptors:\n- key: a\n  rate_limit: { unit: day, requests_per_unit: '5' }",
    'a.yaml: error loading config file: yaml: unmarshal errors:\n  line 4: cannot unmarshal !!str `5` into uint32',
  ],
  [
    'a negative number',
    'domain: d\ndescriptors:\n- key: a\n  rate_limit: { unit: day, requests_per_unit: -1 }',
    'a.yaml: error loading config file: yaml: unmarshal errors:\n  line 4: cannot unmarshal !!int `-1` into uint32',
  ],
  [
    'text for a boolean',
    "domain: d\ndescriptors:\n- key: a\n  shadow_mode: 'true'",
    'a.yaml: error loading config file: yaml: unmarshal errors:\n  line 4: cannot unmarshal !!str `true` into bool',
  ],
  [
    'a list for the file',
    '- a',
    'a.yaml: error loading config file: yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into map[interface {}]interface {}',
  ],
  [
    'a mapping for a list',
    'domain: d\ndescriptors:\n  key: a',
    'a.yaml: error loading config file: yaml: unmarshal errors:\n  line 3: cannot unmarshal !!map into []config.YamlDescriptor',
  ],
];

for (const [name, yaml, message] of wrong) {
  test(`refused: ${name}`, () => {
    assert.throws(() => load(yaml), { name: 'LimitConfigError', message });
  });
}

test('refused: broken YAML, with its line', () => {
  assert.throws(
    () => load('domain: d\ndescriptors: ['),
    /^LimitConfigError: a\.yaml: error loading config file: yaml: line \d+: /,
  );
});

test('refused: an alias bomb', () => {
  const lines = ['domain: d', 'descriptors: &a0 [{ key: x }]'];
  let names = '&a1 [*a0, *a0]';
  for (let i = 2; i < 40; i++) {
    lines.push(`metadata: ${names}`);
    names = `&a${i} [*a${i - 1}, *a${i - 1}]`;
  }
  assert.doesNotThrow(() => {
    try {
      load(lines.join('\n'));
    } catch (error) {
      assert.equal((error as Error).name, 'LimitConfigError');
    }
  });
});

test('two files with one domain are refused unless they are to be merged', () => {
  const one = 'domain: d\ndescriptors: [{ key: a }]';
  const two = 'domain: d\ndescriptors: [{ key: b }]';
  assert.throws(() => load(one, two), /b1\.yaml: duplicate domain 'd' in config file/);
  const files = [one, two].map((text, i) => ({ name: `${i}.yaml`, text }));
  const merged = loadLimitConfig(files, true, new StatsStore());
  assert.deepEqual([...merged.domains.get('d')!.children.keys()], ['a', 'b']);
  const again = [...files, { name: 'c.yaml', text: one }];
  assert.throws(() => loadLimitConfig(again, true, new StatsStore()), /duplicate descriptor composite key 'd\.a'/);
});
