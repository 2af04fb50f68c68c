import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type Diagnostic, formatDiagnostic } from '#gateway/config/diagnostics.ts';
import { loadBootstrap } from '#gateway/config/load/load-message.ts';
import type { Mistake } from './mistakes/mistake.ts';
import { wrongNames } from './mistakes/names.ts';
import { wrongReferences } from './mistakes/references.ts';
import { wrongStructure } from './mistakes/structure.ts';
import { wrongValues } from './mistakes/values.ts';

const base = readFileSync(new URL('./mistakes/base.yaml', import.meta.url), 'utf8');
const mistakes: readonly Mistake[] = [...wrongNames, ...wrongValues, ...wrongStructure, ...wrongReferences];
const files = new Set(['site.crt', 'site.key']);

function load(text: string): readonly Diagnostic[] {
  return loadBootstrap(text, 'edge.yaml', { fileExists: (path) => files.has(path) }).diagnostics.all;
}

function placeOf(text: string, at: string): string {
  const offset = text.indexOf(at);
  const lines = text.slice(0, offset).split('\n');
  return `${lines.length}:${lines.at(-1)!.length + (at.startsWith('- ') ? 3 : 1)}`;
}

/** What is wrong with the report of a mistake; null when it is right. */
function judge(mistake: Mistake): string | null {
  assert.equal(base.split(mistake.from).length, 2, `${mistake.name}: "${mistake.from}" must be in base.yaml once`);
  const text = base.replace(mistake.from, () => mistake.to);
  assert.ok(text.includes(mistake.at), `${mistake.name}: "${mistake.at}" must be in the changed text`);
  const found = load(text).filter((one) => one.severity === 'error');
  const report = found.find((one) => mistake.problem.test(one.problem) && mistake.path.test(one.path));
  const all = found.map(formatDiagnostic).join('\n    ');
  if (report === undefined) return `not reported, but:\n    ${all}`;
  const place = placeOf(text, mistake.at);
  if (`${report.line}:${report.column}` !== place) return `expected at ${place}:\n    ${all}`;
  const suggested = report.suggestion;
  const right =
    mistake.suggestion === null ? suggested === null : suggested !== null && mistake.suggestion.test(suggested);
  return right ? null : `wrong suggestion ${suggested}:\n    ${all}`;
}

describe('seeded mistakes', () => {
  test('the text they are seeded in has none', () => {
    assert.deepEqual(load(base).map(formatDiagnostic), []);
  });

  test(`all ${mistakes.length} are reported at the right place with the right suggestion`, () => {
    assert.ok(mistakes.length >= 50, `${mistakes.length} mistakes`);
    const wrong = mistakes.flatMap((mistake) => {
      const problem = judge(mistake);
      return problem === null ? [] : [`${mistake.name}: ${problem}`];
    });
    const right = mistakes.length - wrong.length;
    assert.ok(wrong.length === 0, `${right} right; wrong:\n  ${wrong.join('\n  ')}`);
  });

  test('each is reported once, without noise that follows from it', () => {
    const noisy = mistakes.filter((mistake) => {
      const found = load(base.replace(mistake.from, () => mistake.to));
      return found.filter((one) => one.severity === 'error').length > 1;
    });
    assert.ok(noisy.length <= 5, noisy.map((mistake) => mistake.name).join(', '));
  });

  test('all of several mistakes are reported together', () => {
    const chosen = [wrongNames[0]!, wrongValues[2]!, wrongReferences[0]!, wrongReferences[5]!];
    const text = chosen.reduce((changed, mistake) => changed.replace(mistake.from, () => mistake.to), base);
    const found = load(text);
    for (const mistake of chosen)
      assert.ok(
        found.some((one) => mistake.problem.test(one.problem)),
        mistake.name,
      );
  });
});
