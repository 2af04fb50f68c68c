/** One file and what becomes of it. */
export interface ValidationCase {
  readonly name: string;
  readonly yaml: string | Uint8Array;
  /**
   * What is wrong: the whole message without the file's name, `line N` where the reference tells the same line in other words,
   * or null when the file is good.
   */
  readonly message: string | null;
  /** The reference of 2026 and later only. */
  readonly newer?: boolean;
  /** The reference does something else, for this reason. */
  readonly differs?: string;
}

const d = 'domain: d\ndescriptors:\n';
const limit = 'rate_limit: { unit: minute, requests_per_unit: 5 }';
const unmarshal = (line: number, what: string): string =>
  `error loading config file: yaml: unmarshal errors:\n  line ${line}: cannot unmarshal ${what}`;

/** Own rules: the text is the reference's. */
export const ruleCases: readonly ValidationCase[] = [
  { name: 'an empty file', yaml: '', message: 'config file cannot have empty domain' },
  { name: 'a comment', yaml: '# nothing\n', message: 'config file cannot have empty domain' },
  { name: 'no domain', yaml: 'descriptors: []', message: 'config file cannot have empty domain' },
  { name: 'a null domain', yaml: 'domain:\ndescriptors: []', message: 'config file cannot have empty domain' },
  { name: 'an empty domain', yaml: "domain: ''", message: 'config file cannot have empty domain' },
  { name: 'no key', yaml: `${d}- value: x`, message: 'descriptor has empty key' },
  { name: 'a null key', yaml: `${d}- key:\n  value: x`, message: 'descriptor has empty key' },
  { name: 'an empty key', yaml: `${d}- key: ''`, message: 'descriptor has empty key' },
  {
    name: 'an empty key further down',
    yaml: `${d}- key: a\n  descriptors: [{ key: '' }]`,
    message: 'descriptor has empty key',
  },
  {
    name: 'key and value twice',
    yaml: `${d}- { key: k, value: v }\n- { key: k, value: v }`,
    message: "duplicate descriptor composite key 'd.k_v'",
  },
  {
    name: 'a key that reads like key and value',
    yaml: `${d}- { key: a_b }\n- { key: a, value: b }`,
    message: "duplicate descriptor composite key 'd.a_b'",
  },
  {
    name: 'the same further down',
    yaml: `${d}- key: a\n  descriptors:\n  - key: b\n  - key: b`,
    message: "duplicate descriptor composite key 'd.a.b'",
  },
  {
    name: 'no unit',
    yaml: `${d}- { key: a, rate_limit: { requests_per_unit: 1 } }`,
    message: "invalid rate limit unit ''",
  },
  { name: 'an empty limit', yaml: `${d}- { key: a, rate_limit: {} }`, message: "invalid rate limit unit ''" },
  {
    name: 'a unit that is none',
    yaml: `${d}- { key: a, rate_limit: { unit: foo } }`,
    message: "invalid rate limit unit 'foo'",
  },
  {
    name: 'unit unknown',
    yaml: `${d}- { key: a, rate_limit: { unit: unknown } }`,
    message: "invalid rate limit unit 'unknown'",
  },
  {
    name: 'a unit in the plural',
    yaml: `${d}- { key: a, rate_limit: { unit: Seconds } }`,
    message: "invalid rate limit unit 'Seconds'",
  },
  {
    name: 'a number for a unit',
    yaml: `${d}- { key: a, rate_limit: { unit: 1 } }`,
    message: "invalid rate limit unit '1'",
  },
  {
    name: 'unlimited with a unit',
    yaml: `${d}- { key: a, rate_limit: { unlimited: true, unit: DAY } }`,
    message: 'should not specify rate limit unit when unlimited',
  },
  {
    name: 'unlimited with a unit that is none',
    yaml: `${d}- { key: a, rate_limit: { unlimited: true, unit: x } }`,
    message: null,
  },
  {
    name: 'replaces nothing',
    yaml: `${d}- { key: a, rate_limit: { unit: day, replaces: [{ name: '' }] } }`,
    message: 'should not have an empty replaces entry',
  },
  {
    name: 'replaces without a name',
    yaml: `${d}- { key: a, rate_limit: { unit: day, name: n, replaces: [{}] } }`,
    message: 'should not have an empty replaces entry',
  },
  {
    name: 'replaces itself',
    yaml: `${d}- { key: a, rate_limit: { unit: day, name: n, replaces: [{ name: n }] } }`,
    message: 'replaces should not contain name of same descriptor',
  },
  {
    name: 'replaces another and itself',
    yaml: `${d}- { key: a, rate_limit: { unit: day, name: n, replaces: [{ name: o }, { name: n }] } }`,
    message: 'replaces should not contain name of same descriptor',
  },
  {
    name: 'replaces what is not there',
    yaml: `${d}- { key: a, rate_limit: { unit: day, replaces: [{ name: n }] } }`,
    message: null,
  },
  {
    name: 'share_threshold without a star',
    yaml: `${d}- { key: a, value: b, share_threshold: true }`,
    message: "share_threshold can only be used with wildcard values (containing '*'), but found key 'a_b'",
  },
  {
    name: 'share_threshold with a star in the key',
    yaml: `${d}- { key: 'a*', share_threshold: true, ${limit} }`,
    message: null,
  },
  {
    name: 'two mistakes: the unit is told before the threshold',
    yaml: `${d}- { key: a, share_threshold: true, rate_limit: { unit: x } }`,
    message: "invalid rate limit unit 'x'",
  },
  {
    name: 'two mistakes: those of the parent are told before those of its children',
    yaml: `${d}- { key: a, share_threshold: true, descriptors: [{ key: '' }] }`,
    message: "share_threshold can only be used with wildcard values (containing '*'), but found key 'a'",
  },
  { name: 'a numeric key', yaml: 'domain: d\n1: x', message: 'config error, key is not of type string: 1' },
  { name: 'a boolean key', yaml: 'domain: d\nyes: x', message: 'config error, key is not of type string: true' },
  { name: 'an unknown key', yaml: `${d}- { key: a, ratelimit: {} }`, message: "config error, unknown key 'ratelimit'" },
  {
    name: 'an unknown key of the file',
    yaml: 'domain: d\ndescriptor: []',
    message: "config error, unknown key 'descriptor'",
  },
  { name: 'a key in capitals', yaml: 'Domain: d', message: "config error, unknown key 'Domain'" },
  {
    name: 'a list of texts',
    yaml: `${d}- one`,
    message: 'config error, yaml file contains list of type other than map: one',
  },
  {
    name: 'a list of numbers',
    yaml: `${d}- 1`,
    message: 'config error, yaml file contains list of type other than map: 1',
  },
  {
    name: 'a list with null',
    yaml: `${d}-`,
    message: 'config error, yaml file contains list of type other than map: <nil>',
  },
  {
    name: 'texts under replaces',
    yaml: `${d}- { key: a, rate_limit: { unit: day, replaces: [x] } }`,
    message: 'config error, yaml file contains list of type other than map: x',
  },
  { name: 'a fraction', yaml: `${d}- { key: a, value: 1.5 }`, message: 'error checking config' },
  {
    name: 'a fraction that is whole',
    yaml: `${d}- { key: a, rate_limit: { unit: day, requests_per_unit: 5.0 } }`,
    message: 'error checking config',
  },
  { name: 'an exponent', yaml: `${d}- { key: a, value: 1e3 }`, message: 'error checking config' },
  { name: 'infinity', yaml: `${d}- { key: a, value: .inf }`, message: 'error checking config' },
  { name: 'no number', yaml: `${d}- { key: a, value: .nan }`, message: 'error checking config' },
  {
    name: 'a number of 64 bits',
    yaml: `${d}- { key: a, value: 18446744073709551615 }`,
    message: 'error checking config',
  },
  {
    name: 'numbers of 63 bits',
    yaml: `${d}- { key: a, value: 9223372036854775807, ${limit} }\n- { key: a, value: 9007199254740993, ${limit} }`,
    message: null,
  },
  {
    name: 'a number of 63 bits and one more',
    yaml: `${d}- { key: a, value: 9223372036854775808 }`,
    message: 'error checking config',
  },
  { name: 'a number that looks octal', yaml: `${d}- { key: a, value: 08 }`, message: 'error checking config' },
  {
    name: 'a merge of no mapping',
    yaml: `${d}- { key: a, rate_limit: { <<: x } }`,
    message: 'error loading config file: yaml: map merge requires map or sequence of maps as the value',
  },
  { name: 'a number beyond', yaml: `${d}- { key: a, value: 99999999999999999999 }`, message: 'error checking config' },
  { name: 'a unit at the wrong place', yaml: `${d}- { key: a, unit: day }`, message: null },
  {
    name: 'metadata',
    yaml: `${d}- { key: a, metadata: { a: [1.5, { b: null }] }, ${limit} }`,
    message: null,
    newer: true,
  },
];

/** Of types: the text is that of the reference's YAML library. */
export const typeCases: readonly ValidationCase[] = [
  {
    name: 'a text for a number',
    yaml: `${d}- key: a\n  rate_limit: { unit: day, requests_per_unit: '5' }`,
    message: unmarshal(4, '!!str `5` into uint32'),
  },
  {
    name: 'a negative number',
    yaml: `${d}- key: a\n  rate_limit:\n    unit: day\n    requests_per_unit: -1`,
    message: unmarshal(6, '!!int `-1` into uint32'),
  },
  {
    name: 'a number that is too large',
    yaml: `${d}- key: a\n  rate_limit: { unit: day, requests_per_unit: 4294967296 }`,
    message: unmarshal(4, '!!int `4294967296` into uint32'),
  },
  {
    name: 'a boolean for a number',
    yaml: `${d}- key: a\n  rate_limit: { unit: day, requests_per_unit: true }`,
    message: unmarshal(4, '!!bool `true` into uint32'),
  },
  {
    name: 'a text for a boolean',
    yaml: `${d}- key: a\n  shadow_mode: 'true'`,
    message: unmarshal(4, '!!str `true` into bool'),
  },
  {
    name: 'a number for a boolean',
    yaml: `${d}- key: a\n  shadow_mode: 1`,
    message: unmarshal(4, '!!int `1` into bool'),
  },
  { name: 'a list for the file', yaml: '- key: a', message: unmarshal(1, '!!seq into map[interface {}]interface {}') },
  {
    name: 'a text for the file',
    yaml: 'hello',
    message: unmarshal(1, '!!str `hello` into map[interface {}]interface {}'),
  },
  { name: 'a mapping for a list', yaml: `${d}  key: a`, message: unmarshal(3, '!!map into []config.YamlDescriptor') },
  {
    name: 'a text for a list',
    yaml: 'domain: d\ndescriptors: none',
    message: unmarshal(2, '!!str `none` into []config.YamlDescriptor'),
  },
  {
    name: 'a long text is cut',
    yaml: 'domain: d\ndescriptors: a long text',
    message: unmarshal(2, '!!str `a long ...` into []config.YamlDescriptor'),
  },
  {
    name: 'a text for a limit',
    yaml: `${d}- key: a\n  rate_limit: five`,
    message: unmarshal(4, '!!str `five` into config.YamlRateLimit'),
  },
  { name: 'a mapping for a text', yaml: `${d}- key: { name: a }`, message: unmarshal(3, '!!map into string') },
  { name: 'a list for a text', yaml: `${d}- key: [{ name: a }]`, message: unmarshal(3, '!!seq into string') },
  {
    name: 'two at once',
    yaml: `${d}- key: a\n  shadow_mode: x\n  rate_limit: { unit: day, requests_per_unit: z }`,
    message: `${unmarshal(4, '!!str `x` into bool')}\n  line 5: cannot unmarshal !!str \`z\` into uint32`,
  },
];

/** Broken YAML: the same line, in words of our own. */
export const syntaxCases: readonly ValidationCase[] = [
  { name: 'a list that does not end', yaml: 'domain: d\ndescriptors: [', message: 'line 2' },
  { name: 'a mapping that does not end', yaml: 'domain: d\ndescriptors:\n- { key: a', message: 'line 3' },
  { name: 'a tab', yaml: 'domain: d\ndescriptors:\n\t- key: a', message: 'line 3' },
  { name: 'a quote that does not end', yaml: "domain: 'd\ndescriptors: []\n", message: 'line 3' },
  { name: 'an alias of nothing', yaml: 'domain: *a', message: 'error loading config file: yaml: unknown anchor' },
  { name: 'a colon too many', yaml: 'domain: d: e', message: 'line 1' },
  { name: 'a dedent to nowhere', yaml: 'domain: d\ndescriptors:\n  - key: a\n - key: b', message: 'line 4' },
  { name: 'a bracket too many', yaml: 'domain: d\ndescriptors: []]', message: 'line 2' },
  { name: 'a percent sign', yaml: 'domain: %d', message: 'line 1' },
];

/** YAML 1.1 and what else is good: both load it and make the same of it. */
export const goodCases: readonly ValidationCase[] = [
  {
    name: 'anchors',
    yaml: `${d}- key: a\n  rate_limit: &l { unit: minute, requests_per_unit: 5 }\n- key: b\n  rate_limit: *l`,
    message: null,
  },
  {
    name: 'merges: what comes last counts, the first of a list',
    yaml: `${d}- key: a\n  rate_limit: &l { unit: minute, requests_per_unit: 5, name: l }\n- key: b\n  rate_limit: { <<: *l, unit: hour }\n- key: c\n  rate_limit: { <<: [{ unit: day }, *l], name: c }\n- key: e\n  rate_limit:\n    requests_per_unit: 7\n    <<: *l`,
    message: null,
  },
  {
    name: 'booleans',
    yaml: `${d}- { key: a, shadow_mode: yes, quota_mode: On, ${limit} }\n- { key: b, shadow_mode: Y, ${limit} }\n- { key: c, shadow_mode: off, ${limit} }\n- { key: e, shadow_mode: TRUE, ${limit} }`,
    message: null,
  },
  {
    name: 'numbers',
    yaml: [
      `${d}- { key: a, rate_limit: { unit: day, requests_per_unit: 1_000 } }`,
      '0x1F',
      '0b101',
      '017',
      '+5',
      '0o17',
    ]
      .map((n, i) => (i === 0 ? n : `- { key: a${i}, rate_limit: { unit: day, requests_per_unit: ${n} } }`))

      .join('\n'),
    message: null,
  },
  {
    name: 'texts that look like something else',
    yaml: `${d}${['0123', 'yes', '1_000', '0x1F', '2001-01-01', '~x', 'null x', "'1.5'", '-1', '=', 'y'].map((value) => `- { key: k, value: ${value}, ${limit} }`).join('\n')}`,
    message: null,
  },
  {
    name: 'equal keys: the last counts',
    yaml: `${d}- key: a\n  value: one\n  value: two\n  ${limit}\n  rate_limit: { unit: hour, requests_per_unit: 2 }`,
    message: null,
  },
  {
    name: 'only the first document',
    yaml: `---\n${d}- { key: a, ${limit} }\n---\ndomain: e\nnonsense: [`,
    message: null,
  },
  { name: 'a directive and an end', yaml: `%YAML 1.1\n---\n${d}- { key: a, ${limit} }\n...\n`, message: null },
  {
    name: 'nothing where something may be',
    yaml: `${d}- key: a\n  rate_limit:\n  descriptors:\n  value: ~\n- { key: b, ${limit} }`,
    message: null,
  },
  {
    name: 'JSON',
    yaml: JSON.stringify({
      domain: 'd',
      descriptors: [{ key: 'ü"\n', rate_limit: { unit: 'day', requests_per_unit: 1 } }],
    }),
    message: null,
  },
  {
    name: 'folded and literal texts',
    yaml: `domain: >-\n  d\n  e\ndescriptors:\n- key: |-\n    a\n    b\n  ${limit}`,
    message: null,
  },
  {
    name: 'a byte order mark and Windows lines',
    yaml: `\uFEFFdomain: d\r\ndescriptors:\r\n- key: a\r\n  ${limit}\r\n`,
    message: null,
  },
  {
    name: 'units in any case',
    yaml: `${d}${['second', 'MINUTE', 'Hour', 'day', 'weeK', 'month', 'year'].map((unit, i) => `- { key: k${i}, rate_limit: { unit: ${unit} } }`).join('\n')}`,
    message: null,
  },
  {
    name: 'five hundred descriptors',
    yaml: `${d}${Array.from({ length: 500 }, (_, i) => `- { key: k, value: v${i}, ${limit} }`).join('\n')}`,
    message: null,
  },
];

/** Files that are meant to hurt. */
export const hostileCases: readonly ValidationCase[] = [
  {
    name: 'a billion laughs',
    yaml: bomb(),
    message: 'error loading config file: yaml: document contains excessive aliasing',
  },
  {
    name: 'a hundred levels',
    yaml: `domain: d\ndescriptors: ${'['.repeat(100)}${']'.repeat(100)}`,
    message: 'config error, yaml file contains list of type other than map: [[',
  },
  {
    name: 'octets that are no UTF-8',
    yaml: Uint8Array.of(...Buffer.from('domain: d\ndescriptors:\n- key: a'), 0xff, 0xfe),
    message: 'error loading config file: yaml: line 3: this is not UTF-8',
  },
  {
    name: 'a control character',
    yaml: 'domain: d\u0001',
    message: 'error loading config file: yaml: line 1: control characters are not allowed',
  },
];

function bomb(): string {
  const lines = ['domain: d', 'descriptors:', '- &a0 { key: x }'];
  for (let i = 1; i < 30; i++) {
    const nine = Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ');
    lines.push(`- &a${i} { key: k${i}, descriptors: [${nine}] }`);
  }
  return lines.join('\n');
}
