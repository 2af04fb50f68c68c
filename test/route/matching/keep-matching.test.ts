import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileMatchTree, type MatchTree } from '#gateway/route/matching/match-tree.ts';
import type { Matcher } from '#proto-types/xds/type/matcher/v3/matcher_pb.ts';
import { messageOf } from '#test/support/filter-harness.ts';
import { FilterStream, requestHead } from '#test/support/router-stream.ts';

const input = {
  name: 'i',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
    header_name: ':path',
  },
};
/** An action that is known by its name. */
const to = (name: string): object => ({
  action: { name, typed_config: { '@type': 'type.googleapis.com/envoy.config.core.v3.Node' } },
});
const kept = (onMatch: object): object => ({ ...onMatch, keep_matching: true });
const list = (...onMatch: readonly object[]): object => ({
  matcher_list: {
    matchers: onMatch.map((one) => ({
      predicate: { single_predicate: { input, value_match: { prefix: '/' } } },
      on_match: one,
    })),
  },
});

function compile(json: object, keepMatching: boolean): MatchTree<string> {
  const message = messageOf('xds.type.matcher.v3.Matcher', json) as Matcher;
  return compileMatchTree(message, ({ name }) => name, { keepMatching });
}

const cases: readonly { name: string; matcher: object; found: string | null; skipped: readonly string[] }[] = [
  { name: 'a list goes on', matcher: list(kept(to('a')), kept(to('b')), to('c')), found: 'c', skipped: ['a', 'b'] },
  {
    name: 'a list without more ends at on_no_match',
    matcher: { ...list(kept(to('a'))), on_no_match: to('n') },
    found: 'n',
    skipped: ['a'],
  },
  {
    name: 'on_no_match that is kept finds nothing',
    matcher: { ...list(), on_no_match: kept(to('n')) },
    found: null,
    skipped: ['n'],
  },
  {
    name: 'a nested matcher that found something is passed over',
    matcher: list(kept({ matcher: { on_no_match: to('inner') } }), to('c')),
    found: 'c',
    skipped: ['inner'],
  },
  {
    name: 'shorter prefixes follow',
    matcher: { matcher_tree: { input, prefix_match_map: { map: { '/': to('short'), '/a': kept(to('long')) } } } },
    found: 'short',
    skipped: ['long'],
  },
  {
    name: 'an exact match leaves on_no_match',
    matcher: { matcher_tree: { input, exact_match_map: { map: { '/a': kept(to('a')) } } }, on_no_match: to('n') },
    found: 'n',
    skipped: ['a'],
  },
];

describe('keep_matching', () => {
  const { streamInfo } = new FilterStream(
    { setDecoderFilterCallbacks: () => {} } as unknown as ConstructorParameters<typeof FilterStream>[0],
    null,
  );
  assert.ok(streamInfo instanceof StreamInfo);
  for (const { name, matcher, found, skipped } of cases)
    it(name, () => {
      const seen: string[] = [];
      const context = { request: requestHead('GET', '/a'), response: null, streamInfo };
      const tree = compile(matcher, true);
      assert.equal(tree.find(context, { onSkippedMatch: (action) => void seen.push(action) }), found);
      assert.deepEqual(seen, skipped);
      assert.equal(tree.find(context), found);
    });

  it('is refused where nobody looks at what was passed over', () => {
    assert.throws(
      () => compile(list(kept(to('a'))), false),
      (error) =>
        error instanceof ConfigError &&
        error.path === 'matcher_list.matchers[0].on_match.keep_matching' &&
        error.problem === 'keep_matching is not supported in this context',
    );
  });
});
