import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headerMutationExtension } from '#gateway/extensions/http/header-mutation/header-mutation-extension.ts';
import { QueryParameters } from '#gateway/extensions/http/header-mutation/query-parameters.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { ConfiguredFilter } from '#test/support/filter-callbacks.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { createTestServerContext } from '#test/support/server-context.ts';

function configure(yaml: string): ConfiguredFilter {
  return new ConfiguredFilter(headerMutationExtension, yaml, createTestServerContext());
}

const put = (key: string, value: string, action = 'APPEND_IF_EXISTS_OR_ADD', more = ''): string =>
  `{ append: { header: { key: ${key}, value: "${value}" }, append_action: ${action}${more} } }`;
const query = (key: string, value: string, action = 'APPEND_IF_EXISTS_OR_ADD'): string =>
  `{ append: { record: { key: ${key}, value: "${value}" }, action: ${action} } }`;

describe('header mutation filter', () => {
  it('changes request headers in the order of the list', () => {
    const mutations = [
      put('x-copy', '%REQ(x-in)%'),
      put('x-in', 'more'),
      put('x-in', 'never', 'ADD_IF_ABSENT'),
      put('x-absent', 'yes', 'ADD_IF_ABSENT'),
      put('x-old', 'new', 'OVERWRITE_IF_EXISTS'),
      put('x-none', 'no', 'OVERWRITE_IF_EXISTS'),
      put('x-set', 'set', 'OVERWRITE_IF_EXISTS_OR_ADD'),
      put('x-empty', '%REQ(nope)%'),
      put('x-kept', '', 'APPEND_IF_EXISTS_OR_ADD', ', keep_empty_value: true'),
      put('accept', 'b/b'),
      '{ remove: X-Gone }',
      '{ remove_on_match: { key_matcher: { prefix: x-rm } } }',
    ];
    const one = configure(`mutations: { request_mutations: [ ${mutations.join(', ')} ] }`).stream();
    const given = ['x-in', 'in', 'x-old', 'old', 'accept', 'a/a', 'x-gone', '1', 'x-rm-a', '1', 'x-rm-b', '1'];
    const head = requestHead('GET', '/', ...given);
    one.request(head);
    assert.deepEqual(head.headers.entries, [
      ...['x-in', 'in', 'x-old', 'new', 'accept', 'a/a,b/b', 'x-copy', 'in', 'x-in', 'more'],
      ...['x-absent', 'yes', 'x-set', 'set', 'x-kept', ''],
    ]);
  });

  it('changes response headers and the trailers of both directions', () => {
    const lists = [
      `response_mutations: [ ${put('x-r', '%REQ(x-in)% %RESPONSE_CODE%')} ]`,
      `request_trailers_mutations: [ ${put('x-t', '%REQ(x-in)%')} ]`,
      'response_trailers_mutations: [ { remove: x-u } ]',
    ];
    const one = configure(`mutations: { ${lists.join(', ')} }`).stream();
    one.request(requestHead('GET', '/', 'x-in', 'in'), false);
    const requestTrailers = new HeaderMap();
    one.sendTrailers(requestTrailers);
    assert.deepEqual(requestTrailers.entries, ['x-t', 'in']);
    assert.equal(one.respond(new ResponseHead(202), false).get('x-r'), 'in 202');
    const trailers = new HeaderMap(['x-u', '1', 'x-v', '2']);
    one.respondTrailers(trailers);
    assert.deepEqual(trailers.entries, ['x-v', '2']);
  });

  for (const [wins, order] of [
    [false, 'main,route,host'],
    [true, 'main,host,route'],
  ] as const) {
    it(`applies the levels of the route after its own: most_specific_header_mutations_wins ${wins}`, () => {
      const level = (name: string): string => `mutations: { request_mutations: [ ${put('x-order', name)} ] }`;
      const yaml = `${level('main')}\nmost_specific_header_mutations_wins: ${wins}`;
      const one = configure(yaml).stream(level('host'), level('route'));
      const head = requestHead('GET', '/');
      one.request(head);
      assert.equal(head.get('x-order'), order);
    });
  }

  it('changes query parameters', () => {
    const mutations = [
      query('a', 'v'),
      query('b', 'new', 'OVERWRITE_IF_EXISTS_OR_ADD'),
      query('c', '%REQ(x-in)%', 'ADD_IF_ABSENT'),
      query('d', 'd', 'OVERWRITE_IF_EXISTS'),
      query('f', 'f', 'OVERWRITE_IF_EXISTS'),
      '{ remove: e }',
    ];
    const one = configure(`mutations: { query_parameter_mutations: [ ${mutations.join(', ')} ] }`).stream();
    const head = requestHead('GET', '/p?e=1&b=1&b=2&a=0&d=0&e', 'x-in', 'in');
    one.request(head);
    assert.equal(head.path, '/p?a=0&a=v&b=new&c=in&d=d');
  });

  for (const [path, expected] of [
    ['/', '/'],
    ['/?', '/'],
    ['/?b&a=', '/?a=&b='],
    ['/x?a=1&&b=2&', '/x?=&a=1&b=2'],
    ['/?b=%2f%41+~-_.!*()&a=%zz', '/?a=%zz&b=/A+~-_.!*()'],
    ['/p%41th?b=a,b:c@d/e?f', '/p%41th?b=a,b:c@d/e?f'],
    ['/?x=y=z&%4&%62=1', '/?%4=&b=1&x=y=z'],
    ['/?a=%20%0d%0Ax:%00%ff%7f', '/?a=%20%0D%0Ax:%00%FF%7F'],
  ] as const) {
    it(`reads and writes ${path}`, () => {
      assert.equal(new QueryParameters(path).writeTo(path), expected);
    });
  }

  for (const [mutations, problem] of [
    [`request_mutations: [ ${put('":path"', '/x')} ]`, /request_mutations\[0\].*may not be modified/],
    [`request_mutations: [ ${put('Host', 'x')} ]`, /request_mutations\[0\].*may not be modified/],
    [`request_mutations: [ ${put('a', '%BAD%')} ]`, /request_mutations\[0\].*%BAD%/],
    ['query_parameter_mutations: [ {} ]', /query_parameter_mutations\[0\].*must append or remove/],
    ['query_parameter_mutations: [ { append: { record: { key: a, value: 1 } } } ]', /value must be a string/],
    ['query_parameter_mutations: [ { append: {} } ]', /record is required/],
    [`query_parameter_mutations: [ ${query('a', '%BAD%')} ]`, /query_parameter_mutations\[0\].*%BAD%/],
  ] as const) {
    it(`refuses ${mutations}`, () => {
      assert.throws(() => configure(`mutations: { ${mutations} }`), problem);
    });
  }
});
