import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { compileCelExpression } from '#gateway/route/matching/cel-expression.ts';
import type { MatchContext } from '#gateway/route/matching/match-context.ts';
import type { CelExpression } from '#proto-types/xds/type/v3/cel_pb.ts';

function matches(source: string, header: string): boolean {
  const expression = createMessage<CelExpression>('xds.type.v3.CelExpression', { celExprString: source });
  const request = new RequestHead('GET', '/abc', 'a.test', 'http', new HeaderMap(['x-pattern', header]));
  const context: MatchContext = { request, response: null, streamInfo: {} as StreamInfo };
  return compileCelExpression(expression).matches(context);
}

describe('CEL expressions', () => {
  it('look for a pattern anywhere in the text', () => {
    for (let again = 0; again < 2; again++) {
      assert.equal(matches("request.path.matches('b')", ''), true);
      assert.equal(matches("request.path.matches('^b')", ''), false);
    }
  });

  it('a pattern that a request makes up does no harm, however often', () => {
    const source = "request.path.matches(request.headers['x-pattern'])";
    assert.equal(matches(source, '('), false);
    for (let i = 0; i < 600; i++) assert.equal(matches(source, `a|x${i}`), true);
  });
});
