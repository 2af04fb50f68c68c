import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesWildcard } from '#ratelimit/limiter/wildcard.ts';

const cases: readonly [pattern: string, text: string, matches: boolean][] = [
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['a*', 'ba', false],
  ['*b', 'ab', true],
  ['*b', 'ba', false],
  ['x*x', 'x', false],
  ['x*x', 'xx', true],
  ['x*x', 'xyx', true],
  ['/api/*/x', '/api/v1/x', true],
  ['/api/*/x', '/api/x', false],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'a1b2c', true],
  ['a*b*c', 'acb', false],
  ['a*bb*b', 'abb', false],
  ['a**c', 'ac', true],
  ['*', '', true],
  ['abc', 'abc', true],
  ['abc', 'ab', false],
];

for (const [pattern, text, matches] of cases) {
  test(`${pattern} ${matches ? 'matches' : 'does not match'} '${text}'`, () => {
    assert.equal(matchesWildcard(pattern, text), matches);
  });
}
