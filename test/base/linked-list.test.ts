import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Linked, LinkedList } from '#gateway/base/linked-list.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';

class Item implements Linked<Item> {
  previous: Item | null = null;
  next: Item | null = null;
  linked = false;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

test('what left points to nothing, and can come again', () => {
  const list = new LinkedList<Item>();
  const [a, b, c] = [new Item(1), new Item(2), new Item(3)];
  for (const item of [a, b, c]) list.add(item);
  assert.equal(list.delete(b), true);
  assert.equal(list.delete(b), false);
  assert.deepEqual([b.previous, b.next, b.linked], [null, null, false]);
  assert.deepEqual(list.snapshot(), [a, c]);
  list.add(b);
  assert.deepEqual(list.snapshot(), [a, c, b]);
  assert.equal(list.first, a);
  for (const item of [a, b, c]) list.delete(item);
  assert.equal(list.first, null);
  assert.equal(list.size, 0);
});

test('holds what a Set would hold, in its order', () => {
  const random = createSeededRandom(3);
  const list = new LinkedList<Item>();
  const model = new Set<Item>();
  for (let step = 0; step < 20_000; step++) {
    const items = [...model];
    if (items.length === 0 || (items.length < 30 && random.next() < 0.5)) {
      const item = new Item(step);
      list.add(item);
      model.add(item);
    } else {
      const item = items[Math.floor(random.next() * items.length)]!;
      list.delete(item);
      model.delete(item);
    }
    assert.equal(list.size, model.size);
    if (step % 50 === 0) assert.deepEqual(list.snapshot(), [...model]);
  }
});
