import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { DescriptorSpec } from '#ratelimit/simulate/descriptor-spec.ts';
import { envoyDescriptors } from '#ratelimit/simulate/envoy-rate-limits.ts';
import { JsonLogReader } from '#ratelimit/simulate/json-log-reader.ts';
import { LogFields } from '#ratelimit/simulate/log-fields.ts';
import { RequestTemplate } from '#ratelimit/simulate/request-template.ts';
import { ratelimit } from '../cli/run-command.ts';
import { envoyLine, SimulationFiles } from './simulated-log.ts';

/** Descriptors as `k=v,k=v` that a line asks for when it comes, then `done` and those when it is done. */
function asked(specs: readonly DescriptorSpec[], line: Readonly<Record<string, unknown>>): string[] {
  const reader = new JsonLogReader(new Map());
  const template = new RequestTemplate('d', specs, new LogFields(reader, 0));
  assert.ok(reader.read(JSON.stringify(line)));
  const { start, done } = template.requests(template.key());
  const shown = (request: typeof start): string[] =>
    (request?.descriptors ?? []).map(
      ({ entries, isNegativeHits }) =>
        (isNegativeHits === true ? '-' : '') + entries.map(({ key, value }) => `${key}=${value}`).join(','),
    );
  return done === null ? shown(start) : [...shown(start), 'done', ...shown(done)];
}

function ofActions(...actions: string[]): readonly DescriptorSpec[] {
  return envoyDescriptors(`- actions: [${actions.join(', ')}]`, 'f', null, 0);
}

test('every action that a log can answer', () => {
  const line = {
    path: '/api/a?user=7&x',
    method: 'POST',
    'x-plan': 'Gold',
    downstream_remote_address: '10.1.2.3:5',
    upstream_cluster: 'c1',
    'DYNAMIC_METADATA(envoy.auth:user:id)': 'u1',
  };
  const one = (action: string): string[] => asked(ofActions(action), line);
  assert.deepEqual(one('{ remote_address: {} }'), ['remote_address=10.1.2.3']);
  assert.deepEqual(one('{ masked_remote_address: { v4_prefix_mask_len: 16 } }'), ['masked_remote_address=10.1.0.0/16']);
  assert.deepEqual(one('{ destination_cluster: {} }'), ['destination_cluster=c1']);
  assert.deepEqual(one('{ request_headers: { header_name: ":method", descriptor_key: m } }'), ['m=POST']);
  assert.deepEqual(one('{ query_parameters: { query_parameter_name: user, descriptor_key: u } }'), ['u=7']);
  assert.deepEqual(one('{ generic_key: { descriptor_value: "100%" } }'), ['generic_key=100%']);
  assert.deepEqual(one('{ generic_key: { descriptor_value: a, descriptor_key: b } }'), ['b=a']);
  const metadata = 'metadata_key: { key: envoy.auth, path: [{ key: user }, { key: id }] }';
  assert.deepEqual(one(`{ dynamic_metadata: { descriptor_key: id, ${metadata} } }`), ['id=u1']);
  assert.deepEqual(one(`{ metadata: { descriptor_key: id, ${metadata} } }`), ['id=u1']);
  const absent = 'metadata_key: { key: none, path: [{ key: x }] }';
  assert.deepEqual(one(`{ metadata: { descriptor_key: id, ${absent} } }`), []);
  assert.deepEqual(one(`{ metadata: { descriptor_key: id, default_value: d, ${absent} } }`), ['id=d']);
  const two = asked(ofActions('{ generic_key: { descriptor_value: a } }', '{ remote_address: {} }'), line);
  assert.deepEqual(two, ['generic_key=a,remote_address=10.1.2.3']);
});

test('an absent header drops the descriptor, or with skip_if_absent only its entry', () => {
  const header = (skip: boolean): string =>
    `{ request_headers: { header_name: x-none, descriptor_key: n, skip_if_absent: ${skip} } }`;
  const generic = '{ generic_key: { descriptor_value: a } }';
  assert.deepEqual(asked(ofActions(generic, header(false)), { path: '/' }), []);
  assert.deepEqual(asked(ofActions(header(true), generic), { path: '/' }), ['generic_key=a']);
  assert.deepEqual(asked(ofActions(header(true)), { path: '/' }), [''], 'one without entries, as at Envoy');
});

test('matches of headers and query parameters', () => {
  const line = { path: '/api/a?user=7', 'x-plan': 'Gold', 'x-n': '15' };
  const match = (headers: string, rest = ''): boolean =>
    asked(ofActions(`{ header_value_match: { descriptor_value: v, headers: [${headers}]${rest} } }`), line).length ===
    1;
  assert.ok(match('{ name: ":path", string_match: { prefix: /api } }'));
  assert.ok(!match('{ name: ":path", string_match: { prefix: /API } }'));
  assert.ok(match('{ name: ":path", string_match: { prefix: /API, ignore_case: true } }'));
  assert.ok(match('{ name: x-plan, string_match: { safe_regex: { regex: "G.*" } } }'));
  assert.ok(!match('{ name: x-plan, string_match: { safe_regex: { regex: "G" } } }'));
  assert.ok(match('{ name: x-plan, string_match: { suffix: ld } }, { name: x-plan, string_match: { contains: ol } }'));
  assert.ok(match('{ name: x-n, range_match: { start: 15, end: 16 } }'));
  assert.ok(!match('{ name: x-n, range_match: { start: 16, end: 20 } }'));
  assert.ok(match('{ name: x-plan, present_match: true }'));
  assert.ok(match('{ name: x-none, present_match: false }'));
  assert.ok(match('{ name: x-plan, string_match: { exact: Silver }, invert_match: true }'));
  assert.ok(!match('{ name: x-none, string_match: { exact: Silver }, invert_match: true }'));
  assert.ok(match('{ name: x-none, string_match: { exact: "" }, treat_missing_header_as_empty: true }'));
  assert.ok(match('{ name: x-plan, string_match: { exact: Silver } }', ', expect_match: false'));
  const query = (text: string): boolean =>
    asked(ofActions(`{ query_parameter_value_match: { descriptor_value: v, query_parameters: [${text}] } }`), line)
      .length === 1;
  assert.ok(query('{ name: user, string_match: { exact: "7" } }'));
  assert.ok(query('{ name: user, present_match: true }'));
  assert.ok(!query('{ name: who, present_match: true }'));
});

test('query parameters are percent-decoded, as at Envoy', () => {
  const parameter = '{ query_parameters: { query_parameter_name: "é", descriptor_key: k } }';
  for (const path of ['/?%C3%A9=a%20b', '/?é=a b', '/?x=1&%c3%a9=a%20b#é=c']) {
    assert.deepEqual(asked(ofActions(parameter), { path }), ['k=a b'], path);
  }
  assert.deepEqual(asked(ofActions(parameter), { path: '/?%C3%A9=%zz+%' }), ['k=%zz+%']);
});

test('hits, stages, what is counted when the request is done', () => {
  const specs = envoyDescriptors(
    `rate_limits:
- actions: [{ generic_key: { descriptor_value: a } }]
- stage: 1
  actions: [{ generic_key: { descriptor_value: b } }]
- actions: [{ generic_key: { descriptor_value: c } }]
  apply_on_stream_done: true
  hits_addend: { format: "%BYTES_SENT%" }
- actions: [{ generic_key: { descriptor_value: d } }]
  apply_on_stream_done: true
  hits_addend: { number: 2, is_negative_hits: true }`,
    'f',
    null,
    0,
  );
  assert.deepEqual(
    specs.map(({ hits, when }) => [hits, when]),
    [
      [null, 'start'],
      ['%BYTES_SENT%', 'done'],
      ['2', 'give-back'],
    ],
  );
  assert.deepEqual(asked(specs, {}), ['generic_key=a', 'done', 'generic_key=c', '-generic_key=d']);
});

const bootstrap = `
virtual_hosts:
- name: shop
  rate_limits: [{ actions: [{ remote_address: {} }] }]
  routes:
  - name: search
    route: { cluster: c, rateLimits: [{ actions: [{ requestHeaders: { headerName: ":path", descriptorKey: path } }] }] }
`;

test('the list of a name in a whole configuration', () => {
  const key = (name: string | null): string => envoyDescriptors(bootstrap, 'f', name, 0)[0]!.entries[0]!.key;
  assert.equal(key('shop'), 'remote_address');
  assert.equal(key('search'), 'path');
  assert.throws(() => key(null), /several rate_limits, say with --of which: .*\(shop\), .*\(search\)/);
  assert.throws(() => key('none'), /no rate_limits of 'none'; there are virtual_hosts\[0\]\.rate_limits \(shop\)/);
  assert.throws(() => envoyDescriptors('a: 1', 'f', null, 0), /there are no rate_limits/);
  assert.throws(() => envoyDescriptors('a: [', 'f', null, 0), /^SimulationError: f: /);
});

const cel = (text: string): string =>
  `{ extension: { name: e, typed_config: { "@type": type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor, descriptor_key: k, text: ${JSON.stringify(text)} } } }`;

test('what a log cannot answer is refused by name', () => {
  const here = /rate_limits\[0\]\.actions\[0\]: /;
  const refused = (action: string, problem: RegExp): void => {
    assert.throws(() => ofActions(action), here);
    assert.throws(() => ofActions(action), problem);
  };
  refused('{ source_cluster: {} }', /the file has no node.cluster; say it with --source-cluster/);
  refused('{ extension: { name: e } }', /extension of type '' cannot be told from a log/);
  for (const [text, problem] of [
    ['request.duration', /request\.duration of a CEL expression cannot be told from a log/],
    ['metadata.filter_metadata', /metadata\.filter_metadata of a CEL/],
    ['request.headers[request.path]', /request\.headers of a CEL/],
    ['size(request.headers)', /request\.headers of a CEL/],
    ['xds', /: xds of a CEL/],
    ['[1].map(x, x + y)', /: y of a CEL/],
    ['request.', /invalid CEL expression/],
  ] as const) {
    refused(cel(text), problem);
  }
  refused(
    '{ remote_address_match: { descriptor_value: a, address_matcher: { ranges: [{ address_prefix: x }] } } }',
    /invalid range x\/0/,
  );
  refused(
    '{ metadata: { descriptor_key: m, source: ROUTE_ENTRY, metadata_key: { key: n, path: [{ key: p }] } } }',
    /the file has no route whose metadata this is/,
  );
  assert.throws(() => ofActions('{ nonsense: {} }'), /f: rate_limits\[0\]: /);
  assert.throws(() => ofActions(), /it has no actions/);
});

test('metadata of routes: of the one that the list is in, else by name, and never by guess', () => {
  const action = `{ metadata: { descriptor_key: m, source: ROUTE_ENTRY, metadata_key: { key: n, path: [{ key: p }] } } }`;
  const list = `rate_limits: [{ actions: [${action}] }]`;
  const route = (name: string, value: string, rest = ''): string =>
    `{ ${name === '' ? '' : `name: ${name}, `}match: { prefix: / }, route: { cluster: c${rest} }` +
    `${value === '' ? '' : `, metadata: { filter_metadata: { n: { p: ${value} } } }`} }`;
  const host = (routes: string[], more = ''): string =>
    `virtual_hosts: [{ name: h, domains: ["*"], routes: [${routes.join(', ')}]${more} }]`;
  const ask = (text: string, line: Record<string, string>): string[] =>
    asked(envoyDescriptors(text, 'f', null, 0), line);
  assert.deepEqual(ask(host([route('a', 'x', `, ${list}`), route('b', 'y')]), {}), ['m=x']);
  const byName = host([route('a', 'x'), route('b', 'y'), route('', 'z'), route('d', '')], `, ${list}`);
  assert.deepEqual(ask(byName, { route_name: 'b' }), ['m=y']);
  assert.deepEqual(ask(byName, {}), ['m=z']);
  assert.deepEqual(ask(byName, { route_name: 'd' }), []);
  // Where all have the same no name is needed.
  const same = envoyDescriptors(host([route('', 'x'), route('', 'x')], `, ${list}`), 'f', null, 0);
  assert.equal(same[0]!.entries[0]!.text, 'x');
  for (const routes of [
    [route('', 'x'), route('', 'y')],
    [route('', 'x'), route('', '')],
    [route('', ''), route('', 'x')],
  ]) {
    assert.throws(() => ask(host(routes, `, ${list}`), {}), /routes without a name have different metadata/);
  }
});

test('keys of lines lead back to what they ask, whatever the values are', () => {
  const random = createSeededRandom(11);
  const pieces = ['', '-', ':', ';', '0;', '1:', '12', 'é', '\u0000', '%', '=', ',', 'value'];
  const specs = ofActions(
    '{ request_headers: { header_name: a, descriptor_key: a, skip_if_absent: true } }',
    '{ generic_key: { descriptor_value: x } }',
    '{ request_headers: { header_name: b, descriptor_key: b, skip_if_absent: true } }',
  );
  for (let i = 0; i < 500; i++) {
    const value = (): string =>
      Array.from({ length: 3 }, () => pieces[Math.floor(random.next() * pieces.length)]).join('');
    const line = { a: value(), b: value() };
    const shown = (text: string): boolean => text !== '' && text !== '-';
    const expected = [
      ...(shown(line.a) ? [`a=${line.a}`] : []),
      'generic_key=x',
      ...(shown(line.b) ? [`b=${line.b}`] : []),
    ].join(',');
    assert.deepEqual(asked(specs, line), [expected]);
  }
});

test('simulate --rate-limits', async () => {
  const files = new SimulationFiles();
  const envoy = files.write('envoy.yaml', bootstrap);
  const config = files.write(
    'limits.yaml',
    'domain: d\ndescriptors: [{ key: path, rate_limit: { unit: day, requests_per_unit: 1 } }]',
  );
  const log = files.write('a.log', [1, 2].map((ms) => envoyLine({ ms: 1_795_293_151_000 + ms, key: '/s' })).join('\n'));
  const { code, out } = await ratelimit(
    ...['simulate', '--config', config, '--log', log, '--rate-limits', envoy, '--of', 'search'],
  );
  assert.equal(code, 0);
  assert.match(out, /: 1 request limited/);
  const missing = await ratelimit('simulate', '--config', config, '--log', log, '--rate-limits', `${envoy}x`);
  assert.equal(missing.code, 1);
});
