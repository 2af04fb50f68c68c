import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { compileHeaderMatcher } from '#gateway/config/matcher/header-matcher.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { HeaderMatcher } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { requestHead } from '#test/support/router-stream.ts';

const type = 'envoy.config.route.v3.HeaderMatcher';

function matches(json: { [field: string]: JsonValue }, ...headers: string[]): boolean {
  const schema = messageSchema<HeaderMatcher>(type);
  const message = fromJson(schema, { name: 'x-a', ...json }, { registry: protoRegistry() });
  return compileHeaderMatcher(message).matches(requestHead('GET', '/', ...headers));
}

const exact = (value: string): { [field: string]: JsonValue } => ({ string_match: { exact: value } });
/** A header in two lines. */
const twice = ['x-a', 'va', 'x-a', 'vb'];

describe('header matchers', () => {
  // Envoy 1.40 does the same in each case.
  const cases: readonly { title: string; json: { [field: string]: JsonValue }; headers: string[]; wanted: boolean }[] =
    [
      { title: 'the first of two values is enough', json: exact('va'), headers: twice, wanted: true },
      { title: 'so is the second', json: exact('vb'), headers: twice, wanted: true },
      { title: 'two values are not judged as one', json: exact('va,vb'), headers: twice, wanted: false },
      { title: 'one value may hold a comma', json: exact('va,vb'), headers: ['x-a', 'va,vb'], wanted: true },
      {
        title: 'an inverted matcher wants no value to fit',
        json: { ...exact('vb'), invert_match: true },
        headers: twice,
        wanted: false,
      },
      {
        title: 'a range looks at each value',
        json: { range_match: { start: '0', end: '9' } },
        headers: ['x-a', 'va', 'x-a', '3'],
        wanted: true,
      },
      {
        title: 'the deprecated kinds look at each value',
        json: { exact_match: 'vb' },
        headers: twice,
        wanted: true,
      },
      {
        title: 'a header that is kept as one entry is judged joined',
        json: { name: 'accept', ...exact('va,vb') },
        headers: ['accept', 'va', 'accept', 'vb'],
        wanted: true,
      },
      {
        title: 'text beyond ASCII is compared by its octets',
        json: exact('zü'),
        headers: ['x-a', 'z\xc3\xbc'],
        wanted: true,
      },
      {
        title: 'a matcher without a kind takes a missing header for an empty one when told so',
        json: { treat_missing_header_as_empty: true },
        headers: [],
        wanted: true,
      },
    ];
  for (const { title, json, headers, wanted } of cases)
    it(title, () => assert.equal(matches(json, ...headers), wanted));
});
