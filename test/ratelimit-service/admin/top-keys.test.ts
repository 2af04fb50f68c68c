import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { TopKeys } from '#ratelimit/admin/top-keys.ts';

/** Any number that is the key's own; small ones, so that many keys share one. */
const hashOf = (key: string): number => [...key].reduce((hash, letter) => (hash * 7 + letter.charCodeAt(0)) % 61, 0);

/** Adds `count` keys by Zipf's law, the hot ones changing half-way, and answers what each really weighs. */
function feed(sketch: TopKeys<string>, seed: number, count: number, keys: number): Map<string, number> {
  const random = createSeededRandom(seed);
  const truth = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const rank = Math.floor(keys ** random.next());
    const key = `${i < count / 2 ? 'a' : 'b'}${rank}`;
    const weight = 1 + Math.floor(random.next() * 5);
    truth.set(key, (truth.get(key) ?? 0) + weight);
    sketch.add(key, hashOf(key), key, weight, 1);
  }
  return truth;
}

for (const { size, keys, seed } of [
  { size: 1, keys: 50, seed: 1 },
  { size: 10, keys: 1000, seed: 2 },
  { size: 50, keys: 20_000, seed: 3 },
  { size: 200, keys: 100_000, seed: 4 },
]) {
  test(`${size} places for ${keys} keys: no key above total/size is missed, none is overstated by more`, () => {
    const sketch = new TopKeys<string>(size);
    const truth = feed(sketch, seed, 50_000, keys);
    const total = [...truth.values()].reduce((sum, weight) => sum + weight, 0);
    assert.equal(sketch.total, total);
    assert.ok(sketch.keys().length <= size);
    const bound = total / size;
    for (const { key, label, weight, error } of sketch.keys()) {
      const real = truth.get(key)!;
      assert.equal(label, key);
      assert.ok(weight >= real && weight - error <= real, `${key}: ${real} is not in ${weight - error}..${weight}`);
      assert.ok(error <= bound, `${key}: error ${error}, bound ${bound}`);
    }
    for (const [key, real] of truth) {
      const known = sketch.get(key, hashOf(key));
      if (real > bound) assert.ok(known !== null, `${key} weighs ${real}, above ${bound}, and is missing`);
      if (known === null)
        assert.ok(real <= sketch.unseenWeight, `${key} weighs ${real}, unseen ${sketch.unseenWeight}`);
    }
  });
}

test('fewer keys than places are exact', () => {
  const sketch = new TopKeys<string>(100);
  const truth = feed(sketch, 5, 5000, 40);
  assert.equal(sketch.unseenWeight, 0);
  assert.deepEqual(
    new Map(sketch.keys().map(({ key, weight, error }) => [key, weight + error])),
    new Map([...truth].filter(([key]) => sketch.get(key, hashOf(key)) !== null)),
  );
  assert.equal(sketch.keys().length, truth.size);
});
