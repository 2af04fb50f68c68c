import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flattenLayer, ServerRuntime } from '#gateway/server/runtime-flags.ts';

test('static layers: nested keys, later layers win, texts are read as numbers', () => {
  const runtime = new ServerRuntime(
    [
      { name: 'a', values: flattenLayer({ x: { y: 1, on: true }, text: '7' }) },
      { name: 'b', values: flattenLayer({ 'x.y': 2 }) },
    ],
    null,
  );
  assert.deepEqual([runtime.number('x.y', 0), runtime.number('text', 0), runtime.number('none', 9)], [2, 7, 9]);
  assert.deepEqual([runtime.boolean('x.on', false), runtime.boolean('none', true)], [true, true]);
  assert.equal(runtime.modify(new Map([['x', '1']])), false);
});

test('fractions: the default, a percentage, and a fraction of its own', () => {
  const values = flattenLayer({ half: 50, tiny: { numerator: 3, denominator: 'TEN_THOUSAND' } });
  const runtime = new ServerRuntime([{ name: 'a', values }], 'admin');
  assert.deepEqual([runtime.enabled('none', 1, 100, 0), runtime.enabled('none', 1, 100, 1)], [true, false]);
  assert.deepEqual([runtime.enabled('half', 0, 100, 49), runtime.enabled('half', 0, 1_000_000, 50)], [true, false]);
  assert.deepEqual([runtime.enabled('tiny', 0, 100, 2), runtime.enabled('tiny', 0, 100, 3)], [true, false]);
  assert.equal(runtime.modify(new Map([['half', '100']])), true);
  assert.equal(runtime.enabled('half', 0, 100, 99), true);
  assert.equal(runtime.adminOverrides, 1);
  runtime.modify(new Map([['half', '']]));
  assert.equal(runtime.enabled('half', 0, 100, 99), false);
});
