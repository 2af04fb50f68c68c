import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from '#gateway/base/printable.ts';

test("a peer's text is one short line without control characters", () => {
  assert.equal(printable('plain \u00e4'), 'plain \u00e4');
  assert.equal(printable('a\r\n[info] forged\u001b[2J'), 'a\\x0d\\x0a[info] forged\\x1b[2J');
  const long = printable('x'.repeat(10_000));
  assert.ok(long.length < 600);
  assert.match(long, /\(10000 characters\)$/);
});
