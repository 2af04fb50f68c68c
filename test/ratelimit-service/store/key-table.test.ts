import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { KeyTable } from '#ratelimit/store/key-table.ts';

/** The first number of a key's entry, or null. */
function numberOf(table: KeyTable, key: string): number | null {
  const entry = table.find(key);
  return entry === 0 ? null : table.numbers(entry)[table.offset(entry)]!;
}

function put(table: KeyTable, key: string, value: number): void {
  const entry = table.find(key) || table.add(key);
  table.numbers(entry)[table.offset(entry)] = value;
}

describe('table of keys', () => {
  it('does what a Map does: seeded additions, removals and sweeps', () => {
    for (const seed of [1, 2, 3]) {
      const random = createSeededRandom(seed);
      const table = new KeyTable(3, seed * 0x9e37_79b9);
      const model = new Map<string, number>();
      const below = (n: number): number => Math.floor(random.next() * n);
      for (let i = 0; i < 60_000; i++) {
        const n = below(20_000);
        const key = n % 7 === 0 ? `wide_\u20ac_${n}` : n % 11 === 0 ? `${n}_${'x'.repeat(n % 400)}` : `key_${n}`;
        const choice = below(100);
        if (choice < 70) {
          const value = 1 + below(1000);
          put(table, key, value);
          model.set(key, value);
        } else if (choice < 95) {
          assert.equal(numberOf(table, key), model.get(key) ?? null);
        } else {
          const entry = table.find(key);
          assert.equal(entry !== 0, model.delete(key));
          if (entry !== 0) table.remove(entry);
        }
        if (i % 20_000 === 19_999) {
          table.sweep(300, 100_000);
          for (const [old, value] of model) if (value <= 300) model.delete(old);
        }
        assert.equal(table.size, model.size);
      }
      for (const [key, value] of model) assert.equal(numberOf(table, key), value);
      table.clear();
      assert.deepEqual([table.size, numberOf(table, [...model.keys()][0]!)], [0, null]);
      put(table, 'again', 1);
      assert.equal(numberOf(table, 'again'), 1);
    }
  });

  it('tells keys apart that look alike', () => {
    const table = new KeyTable(1, 0);
    const long = 'l'.repeat(5000);
    const keys = ['', 'a', 'b', 'aa', '\u00e9', '\u0101', '\u0001', 'a\u0000', '\ud800', '\ud801', long, `${long}l`];
    keys.forEach((key, i) => void put(table, key, i + 1));
    assert.deepEqual(
      keys.map((key) => numberOf(table, key)),
      keys.map((_, i) => i + 1),
    );
  });

  it('numbers of an entry are its own, and zero at first, also where another was before', () => {
    const table = new KeyTable(4, 7);
    const first = table.add('first');
    table.numbers(first).fill(9, table.offset(first), table.offset(first) + 4);
    const second = table.add('second');
    assert.equal(table.numbers(second)[table.offset(second)], 0);
    table.remove(first);
    const third = table.add('third');
    assert.equal(third, first);
    assert.deepEqual([...table.numbers(third).subarray(table.offset(third), table.offset(third) + 4)], [0, 0, 0, 0]);
  });

  it('a sweep looks at a few entries at a time, and comes round', () => {
    const table = new KeyTable(1, 0);
    for (let i = 0; i < 100; i++) put(table, `k${i}`, i % 2);
    table.sweep(0, 10);
    assert.equal(table.size, 95);
    for (let i = 0; i < 10; i++) table.sweep(0, 10);
    assert.equal(table.size, 50);
  });
});
