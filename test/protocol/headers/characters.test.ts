import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hasListToken,
  isFieldValue,
  isLowerCaseToken,
  isToken,
  tokenLower,
} from '#gateway/protocol/headers/characters.ts';

test('token characters are those of RFC 9110 section 5.6.2', () => {
  for (let octet = 0; octet < 256; octet++) {
    const character = String.fromCharCode(octet);
    const expected = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/.test(character);
    assert.equal(tokenLower[octet] !== 0, expected, `octet ${octet}`);
    if (expected) assert.equal(String.fromCharCode(tokenLower[octet]!), character.toLowerCase());
    assert.equal(isToken(character), expected);
    assert.equal(isLowerCaseToken(character), expected && character === character.toLowerCase());
  }
  assert.equal(isToken(''), false);
  assert.equal(isToken('\u0141'), false, 'not by its low octet');
  assert.equal(isLowerCaseToken(''), false);
});

test('field values', () => {
  for (const good of ['', 'a b', 'a\tb', '\x80\xff', ' a ']) assert.equal(isFieldValue(good), true);
  for (const bad of ['\0', 'a\r', '\nb', '\x0b', '\x7f', '\u0100', '\u010a']) assert.equal(isFieldValue(bad), false);
});

const lists: readonly { list: string; token: string; found: boolean }[] = [
  { list: 'close', token: 'close', found: true },
  { list: 'Close', token: 'close', found: true },
  { list: 'keep-alive, CLOSE', token: 'close', found: true },
  { list: 'a,close ,b', token: 'close', found: true },
  { list: ',,\tclose', token: 'close', found: true },
  { list: 'closed', token: 'close', found: false },
  { list: 'not close', token: 'close', found: false },
  { list: 'disclose', token: 'close', found: false },
  { list: '', token: 'close', found: false },
  { list: 'clos', token: 'close', found: false },
];

for (const { list, token, found } of lists) {
  test(`list ${JSON.stringify(list)} ${found ? 'has' : 'has not'} ${token}`, () => {
    assert.equal(hasListToken(list, token), found);
  });
}
