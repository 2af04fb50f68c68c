import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quotableName, rfc2253 } from '#gateway/formatter/peer-certificate.ts';

const cases: readonly (readonly [name: string, quotable: string])[] = [
  ['CN=plain', 'CN=plain'],
  ['CN=a";URI=spiffe://admin', 'CN=a\\";URI=spiffe://admin'],
  ['CN=a\\"\\;URI=spiffe://admin', 'CN=a\\"\\;URI=spiffe://admin'],
  ['CN=ends with\\', 'CN=ends with\\\\'],
  ['CN=escaped\\\\', 'CN=escaped\\\\'],
  ['CN=escaped\\\\"', 'CN=escaped\\\\\\"'],
];

for (const [name, quotable] of cases) {
  test(`${name} cannot end the quotes around it`, () => {
    assert.equal(quotableName(name), quotable);
    assert.match(`"${quotableName(name)}"`, /^"(?:[^"\\]|\\.)*"$/);
  });
}

test('a distinguished name is shown last part first', () => {
  assert.equal(rfc2253('C=FR\nO=org\nCN=me\n'), 'CN=me,O=org,C=FR');
});
