import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';

test('chunks come out as they went in', () => {
  const queue = new ByteQueue();
  const first = new Uint8Array([1, 2]);
  const second = new Uint8Array([3]);
  queue.push(first);
  queue.push(new Uint8Array(0));
  queue.push(second);
  assert.equal(queue.length, 3);
  assert.equal(queue.shift(), first);
  assert.equal(queue.shift(), second);
  assert.equal(queue.shift(), null);
  assert.equal(queue.length, 0);
});

test('a limit cuts a chunk without a copy', () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array([1, 2, 3]);
  queue.push(chunk);
  const part = queue.shift(2)!;
  assert.deepEqual([...part], [1, 2]);
  assert.equal(part.buffer, chunk.buffer);
  assert.equal(queue.length, 1);
  assert.deepEqual([...queue.shift(2)!], [3]);
});

test('concat keeps the queue, and copies only when it must', () => {
  const queue = new ByteQueue();
  assert.equal(queue.concat().length, 0);
  const chunk = new Uint8Array([1]);
  queue.push(chunk);
  assert.equal(queue.concat(), chunk);
  queue.push(new Uint8Array([2, 3]));
  assert.deepEqual([...queue.concat()], [1, 2, 3]);
  assert.equal(queue.length, 3);
  queue.clear();
  assert.equal(queue.length, 0);
  assert.equal(queue.shift(), null);
});

for (let seed = 1; seed <= 10; seed++) {
  test(`against a plain array, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    const queue = new ByteQueue();
    let model: number[] = [];
    let next = 0;
    for (let step = 0; step < 3000; step++) {
      if (random.next() < 0.5) {
        const chunk = Uint8Array.from({ length: Math.floor(random.next() * 5) }, () => next++ & 0xff);
        queue.push(chunk);
        model.push(...chunk);
      } else {
        const limit = 1 + Math.floor(random.next() * 6);
        const taken = queue.shift(limit);
        if (taken === null) assert.equal(model.length, 0);
        else {
          assert.ok(taken.length > 0 && taken.length <= limit);
          assert.deepEqual([...taken], model.slice(0, taken.length));
          model = model.slice(taken.length);
        }
      }
      assert.equal(queue.length, model.length);
    }
    assert.equal(Buffer.compare(Buffer.from(queue.concat()), Buffer.from(model)), 0);
  });
}
