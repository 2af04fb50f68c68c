import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDiagnostic } from '#gateway/config/diagnostics.ts';
import { loadBootstrap } from '#gateway/config/load/load-message.ts';

const base = readFileSync(new URL('./mistakes/base.yaml', import.meta.url), 'utf8');
const lines = base.split('\n');
const options = { fileExists: () => true };

/** Words that change what a line means. */
const words: readonly string[] = [
  '~',
  '[',
  '{',
  '}',
  '&a ',
  '*a',
  '<<: ',
  '- ',
  '"',
  '1e999',
  '0x',
  'yes',
  '!!x ',
  '\t',
  ': ',
  '%',
  '__proto__',
];

const slip = fc.record({
  line: fc.nat(lines.length - 1),
  column: fc.nat(60),
  remove: fc.nat(12),
  insert: fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 8 })),
});

function slipped(slips: readonly { line: number; column: number; remove: number; insert: string }[]): string {
  const changed = [...lines];
  for (const { line, column, remove, insert } of slips) {
    const text = changed[line]!;
    changed[line] = text.slice(0, column) + insert + text.slice(column + remove);
  }
  return changed.join('\n');
}

test('a text with slips of the keyboard is judged, never thrown at', () => {
  const property = fc.property(fc.array(slip, { minLength: 1, maxLength: 4 }), (slips) => {
    const text = slipped(slips);
    const { diagnostics } = loadBootstrap(text, 'edge.yaml', options);
    const count = text.split('\n').length;
    for (const found of diagnostics.all) {
      assert.ok(found.line !== null && found.line >= 1 && found.line <= count, formatDiagnostic(found));
    }
  });
  fc.assert(property, { numRuns: 200, seed: 7 });
});

test('JSON cut anywhere is refused with its place', () => {
  const text = '{"node":{"id":"a","metadata":{"x":[1,2.5e3,true,null,"\\u0041"]}}}';
  for (let length = 0; length < text.length; length++) {
    const { diagnostics } = loadBootstrap(text.slice(0, length), 'edge.json', options);
    assert.ok(diagnostics.failed, text.slice(0, length));
    assert.equal(diagnostics.errors[0]?.line, 1);
  }
  assert.deepEqual(loadBootstrap(text, 'edge.json', options).diagnostics.all, []);
});

test('brackets without end are refused, not followed', () => {
  for (const name of ['edge.yaml', 'edge.json']) {
    for (const text of ['['.repeat(20_000), '{"a":'.repeat(20_000)]) {
      assert.ok(loadBootstrap(text, name, options).diagnostics.failed);
    }
  }
});
