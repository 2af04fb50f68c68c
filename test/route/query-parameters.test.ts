import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodedQueryParameter, queryParameter } from '#gateway/route/query-parameters.ts';

describe('query parameters', () => {
  // Value of `q` as it stands, and percent-decoded. Envoy 1.40 does the same in each case.
  const cases: readonly (readonly [path: string, raw: string | null, decoded: string | null])[] = [
    ['/?q=1&q=2', '1', '1'],
    ['/?q=%E2%82%AC', '%E2%82%AC', '\xe2\x82\xac'],
    ['/?%71=2&q=1', '1', '2'],
    ['/?q=a+b', 'a+b', 'a+b'],
    ['/?q=%zz%4', '%zz%4', '%zz%4'],
    ['/?q=%26x%3D1&x=%', '%26x%3D1', '&x=1'],
    ['/?a%20b=1&q', '', ''],
    ['/?q%3D=1', null, null],
    ['/%3Fq=1', null, null],
    ['/?x=1#q=%31', null, null],
  ];
  for (const [path, raw, decoded] of cases)
    it(path, () => assert.deepEqual([queryParameter(path, 'q'), decodedQueryParameter(path, 'q')], [raw, decoded]));
});
