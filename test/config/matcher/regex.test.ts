import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLinearNative } from '#gateway/config/matcher/native-regex.ts';
import { compileRegex, parseSubstitution } from '#gateway/config/matcher/regex.ts';

describe('regular expressions', () => {
  it('only patterns that cannot backtrack far run natively', () => {
    for (const pattern of ['/a/[0-9]+', '/a.*', 'a|b', '(a|b)c', '\\d', 'v1\\.2']) {
      assert.ok(isLinearNative(pattern), pattern);
    }
    for (const pattern of [
      '(a+)+',
      'a*a*',
      '(a|b)*',
      'a{2,3}',
      '(?i)a',
      '\\bx',
      '[[:alpha:]]',
      'a**',
      '\\pL',
      '.*.*',
    ]) {
      assert.ok(!isLinearNative(pattern), pattern);
    }
  });

  it('the whole text must match, whichever engine runs', () => {
    for (const pattern of ['/a/[0-9]+', '/a/([0-9]{1,20})']) {
      const regex = compileRegex(pattern);
      assert.ok(regex.matchesAll('/a/12'));
      assert.ok(!regex.matchesAll('/a/12/'));
      assert.ok(!regex.matchesAll('x/a/12'));
    }
  });

  it('a pathological pattern takes linear time', () => {
    assert.ok(!compileRegex('(a+)+$').matchesAll(`${'a'.repeat(5000)}!`));
  });

  it('substitutions know groups and escaped backslashes, with both engines', () => {
    for (const pattern of ['^/(a)/([0-9]+)', '^/(a)/([0-9]{1,})']) {
      const text = compileRegex(pattern).replaceAll('/a/12/x', parseSubstitution('\\2-\\1\\\\\\0'));
      assert.equal(text, '12-a\\/a/12/x');
    }
    assert.throws(() => parseSubstitution('\\x'), /invalid substitution/);
  });

  it('a replacement that finds nothing takes linear time too', () => {
    const text = 'a'.repeat(200_000);
    assert.equal(compileRegex('a+b').replaceAll(text, parseSubstitution('x')), text);
  });

  it('what RE2 refuses is refused', () => {
    for (const pattern of ['(?=a)', '\\1', '(', 'a{2000}'])
      assert.throws(() => compileRegex(pattern), /invalid regular/);
  });
});
