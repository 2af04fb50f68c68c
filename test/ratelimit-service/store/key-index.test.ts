import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { KeyIndex } from '#ratelimit/store/key-index.ts';

function entries(index: KeyIndex, hash: number): number[] {
  const found: number[] = [];
  for (let entry = index.first(hash); entry !== 0; entry = index.next()) found.push(entry);
  return found.sort((a, b) => a - b);
}

describe('index of keys', () => {
  it('does what a Map of lists does: seeded additions and removals, with hashes of all kinds', () => {
    const kinds: readonly ((n: number) => number)[] = [
      (n) => Math.imul(n, 0x9e37_79b1) >>> 0,
      // No two differ in their first bits, nor in their last.
      (n) => n % 512,
      (n) => ((n % 512) << 23) >>> 0,
      (n) => 0xffff_ffff - (n % 3),
    ];
    kinds.forEach((hashOf, kind) => {
      const random = createSeededRandom(kind + 1);
      const index = new KeyIndex();
      const model = new Map<number, number[]>();
      const held: number[] = [];
      const steps = kind === 0 ? 60_000 : 3000;
      for (let entry = 1; entry <= steps; entry++) {
        const hash = hashOf(entry);
        index.add(hash, entry);
        model.set(hash, [...(model.get(hash) ?? []), entry]);
        held.push(entry);
        if (random.next() < 0.3) {
          const [gone] = held.splice(Math.floor(random.next() * held.length), 1);
          index.remove(hashOf(gone!), gone!);
          model.set(
            hashOf(gone!),
            model.get(hashOf(gone!))!.filter((each) => each !== gone),
          );
        }
      }
      for (const [hash, expected] of model) assert.deepEqual(entries(index, hash), expected);
      index.clear();
      for (const hash of model.keys()) assert.equal(index.first(hash), 0);
      for (const [hash, [entry]] of model) if (entry !== undefined) index.add(hash, entry);
      for (const [hash, [entry]] of model) assert.equal(index.first(hash), entry ?? 0);
    });
  });

  it('four thousand entries with one hash do not make it grow without end', () => {
    const index = new KeyIndex();
    for (let entry = 1; entry <= 4000; entry++) index.add(0x1234_5678, entry);
    index.add(0x1234_5679, 4001);
    assert.deepEqual(entries(index, 0x1234_5679), [4001]);
    assert.equal(entries(index, 0x1234_5678).length, 4000);
    for (let entry = 1; entry < 4000; entry++) index.remove(0x1234_5678, entry);
    assert.deepEqual(entries(index, 0x1234_5678), [4000]);
    assert.deepEqual(entries(index, 0x1234_5679), [4001]);
  });
});
