import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewriteQuery } from '#gateway/route/query-rewrite.ts';

const cases: readonly { path: string; set?: readonly string[]; removed?: readonly string[]; wanted: string }[] = [
  { path: '/a?z=1&q=k&b=2&b=1&c&d=', removed: ['q'], wanted: '/a?b=2&b=1&c=&d=&z=1' },
  { path: '/a?q=1', removed: ['q'], wanted: '/a' },
  { path: '/a?', wanted: '/a' },
  { path: '/a', set: ['q', 'n'], wanted: '/a?q=n' },
  { path: '/a?y=1&q=1&q=2&b=%26', set: ['q', 'n'], removed: ['y'], wanted: '/a?b=%26&q=n' },
  { path: '/a?x#f?y', wanted: '/a?x=#f?y' },
];
for (const { path, set = [], removed = [], wanted } of cases) {
  test(`query of ${path} without ${removed.join()} and with ${set.join('=')}`, () => {
    assert.equal(rewriteQuery(path, set, removed), wanted);
  });
}
