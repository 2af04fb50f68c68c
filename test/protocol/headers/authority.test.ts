import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isValidAuthority, isValidConnectTarget } from '#gateway/protocol/headers/authority.ts';
import { parseContentLength } from '#gateway/protocol/headers/content-length.ts';
import { isValidPath } from '#gateway/protocol/headers/path.ts';

const goodAuthorities = [
  '',
  'a',
  'a.b-c_d~e',
  'a:80',
  'a:',
  'a:0',
  'a:65535',
  '127.0.0.1:1',
  '[::1]',
  '[::1]:443',
  '[fe80::1%25eth0]',
  'a%2fb',
  "a!$&'()*+,;=b",
];
const badAuthorities = [
  ':80',
  'a:65536',
  'a:100000',
  'a:8o',
  'a:80:81',
  'a b',
  'a/b',
  'a?b',
  'a#b',
  'a@b',
  'a\\b',
  'a"b',
  '<a>',
  'a%',
  'a%2',
  'a%zz',
  '[',
  '[]',
  '[::1',
  '::1',
  '[::1]x',
  '[::1]:x',
  '[a/b]',
  'a[',
  'a\0',
  'a\r',
  '\xe9',
  '\u0141',
  'a^b',
  'a`b',
  '{a}',
  'a|b',
];

for (const text of goodAuthorities) {
  test(`authority ${JSON.stringify(text)} is valid`, () => assert.equal(isValidAuthority(text), true));
}
for (const text of badAuthorities) {
  test(`authority ${JSON.stringify(text)} is not valid`, () => assert.equal(isValidAuthority(text), false));
}

test('a CONNECT target needs host and port', () => {
  for (const text of ['a:80', '[::1]:443', '1.2.3.4:1']) assert.equal(isValidConnectTarget(text), true, text);
  for (const text of ['', 'a', 'a:', ':80', 'a:x', 'a:65536', '/', 'http://a:80', 'u@a:80', '[::1]', '*']) {
    assert.equal(isValidConnectTarget(text), false, text);
  }
});

test('Content-Length', () => {
  assert.equal(parseContentLength('0'), 0);
  assert.equal(parseContentLength('007'), 7);
  assert.equal(parseContentLength('9007199254740991'), Number.MAX_SAFE_INTEGER);
  for (const text of [
    '',
    '-1',
    '+1',
    '1 ',
    ' 1',
    '1,1',
    '0x1',
    '1e3',
    '9007199254740992',
    '99999999999999999',
    '\u0661',
  ]) {
    assert.equal(parseContentLength(text), -1, JSON.stringify(text));
  }
});

test('paths', () => {
  for (const text of ['/', '*', '/a?b=c', '//a', '/%00', '/"<>\\^`{|}']) assert.equal(isValidPath(text), true, text);
  for (const text of [
    '',
    'a',
    '**',
    '*a',
    '/a b',
    '/\t',
    '/\r\n',
    '/\0',
    '/\x7f',
    '/\xe9',
    '/a#b',
    '?a',
    'http://a/',
  ]) {
    assert.equal(isValidPath(text), false, JSON.stringify(text));
  }
});
