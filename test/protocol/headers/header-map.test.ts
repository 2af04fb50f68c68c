import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

function sample(): HeaderMap {
  return new HeaderMap(['a', '1', 'b', '2', 'a', '3', 'c', 'a']);
}

test('reading', () => {
  const map = sample();
  assert.equal(map.size, 4);
  assert.equal(map.get('a'), '1');
  assert.equal(map.get('x'), null);
  assert.equal(map.getJoined('a'), '1,3');
  assert.equal(map.getJoined('x'), null);
  assert.deepEqual(map.getAll('a'), ['1', '3']);
  assert.equal(map.has('b'), true);
  assert.equal(map.has('3'), false, 'a value is not a name');
  assert.equal(map.byteSize(), 8);
});

test('changing', () => {
  const map = sample();
  map.set('a', '9');
  assert.deepEqual(map.entries, ['a', '9', 'b', '2', 'c', 'a']);
  map.set('d', '4');
  map.setIfAbsent('d', '5');
  map.setIfAbsent('e', '6');
  map.add('b', '7');
  assert.deepEqual(map.entries, ['a', '9', 'b', '2', 'c', 'a', 'd', '4', 'e', '6', 'b', '7']);
  assert.equal(map.remove('b'), true);
  assert.equal(map.remove('b'), false);
  map.removeWhere((name) => name > 'c');
  assert.deepEqual(map.entries, ['a', '9', 'c', 'a']);
});

test('a clone is on its own', () => {
  const map = sample();
  const copy = map.clone();
  copy.remove('a');
  assert.equal(map.size, 4);
  const head = new RequestHead('GET', '/', 'h', '', map);
  const other = head.clone();
  other.headers.remove('a');
  other.path = '/x';
  assert.equal(head.path, '/');
  assert.equal(head.headers.size, 4);
});

test('heads read pseudo-headers by name', () => {
  const head = new RequestHead('GET', '', 'h', '', sample());
  assert.deepEqual(
    [':method', ':path', ':authority', ':scheme', ':x', 'host', 'a', 'x'].map((name) => head.get(name)),
    ['GET', null, 'h', null, null, 'h', '1,3', null],
  );
  const response = new ResponseHead(204, sample());
  assert.equal(response.get(':status'), '204');
  assert.equal(response.get('a'), '1,3');
});
