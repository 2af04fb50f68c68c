import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLowerCaseToken } from '#gateway/protocol/headers/characters.ts';
import { FieldRole, fieldRole, findKnownName, knownNames, knownRoles } from '#gateway/protocol/headers/known-names.ts';

function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

test('every known name is found, in any case and at any offset, and no name twice', () => {
  assert.equal(new Set(knownNames).size, knownNames.length);
  for (const [index, name] of knownNames.entries()) {
    assert.ok(isLowerCaseToken(name), name);
    for (const text of [name, name.toUpperCase(), name.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase())]) {
      assert.equal(findKnownName(octets(text), 0, text.length), index, text);
      assert.equal(findKnownName(octets(`..${text}..`), 2, 2 + text.length), index, text);
    }
    assert.equal(knownRoles[index], fieldRole(name));
  }
});

test('names that are nearly known are not', () => {
  for (const name of knownNames) {
    for (let i = 0; i < name.length; i++) {
      const changed = `${name.slice(0, i)}${name[i] === 'q' ? 'z' : 'q'}${name.slice(i + 1)}`;
      assert.equal(findKnownName(octets(changed), 0, changed.length), knownNames.indexOf(changed), changed);
    }
    const longer = `${name}x`;
    assert.equal(findKnownName(octets(longer), 0, longer.length), knownNames.indexOf(longer));
  }
  for (const name of ['x', 'xx', 'ab']) assert.equal(findKnownName(octets(name), 0, name.length), -1);
});

test('what frames a message has a role', () => {
  for (const name of ['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te']) {
    assert.notEqual(fieldRole(name), FieldRole.Plain);
    assert.ok(knownNames.includes(name));
  }
  assert.equal(fieldRole('accept'), FieldRole.Plain);
});
