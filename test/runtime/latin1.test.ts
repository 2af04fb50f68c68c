import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latin1Slice } from '#gateway/runtime/latin1.ts';

test('every octet is one code point, on a plain Uint8Array and with an offset', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = latin1Slice(all, 0, 256);
  for (let i = 0; i < 256; i++) assert.equal(text.charCodeAt(i), i);
  assert.equal(latin1Slice(all.subarray(60, 80), 5, 8), 'ABC');
  assert.equal(latin1Slice(all, 7, 7), '');
});
