import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import { LocalEstimate } from '#ratelimit/store/local-estimate.ts';
import { type TakeLimit, takeLimit } from '#ratelimit/store/take.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

/** The minute that the virtual clock stands in. */
const windowStart = 1_795_293_120;

/** Remaining hits as they are told, or -1 when it is over; `x` when there is no room for the key. */
function ask(estimate: LocalEstimate, limit: TakeLimit, plain: boolean, hits = 1, key = 'k'): number | 'x' {
  let told: number | 'x' | null = null;
  estimate.take([{ limit, key, windowStart, hits, index: 7, plain }], false, {
    onCounter: (index, after) => {
      assert.equal(index, 7);
      told = after > limit.limit ? -1 : limit.limit - after;
    },
    onCounterError: () => {
      told = 'x';
    },
  });
  return told!;
}

const fixed = (limit: number): TakeLimit => takeLimit(LimitAlgorithm.FixedWindow, limit, limit, 60, true);

test('alone it has the whole limit, exactly', () => {
  const estimate = new LocalEstimate(new VirtualWall(), 1, 100);
  assert.deepEqual(
    Array.from({ length: 5 }, () => ask(estimate, fixed(3), true)),
    [2, 1, 0, -1, -1],
  );
});

test('with others it has its share, told as if all counted alike', () => {
  const estimate = new LocalEstimate(new VirtualWall(), 4, 100);
  assert.deepEqual(
    Array.from({ length: 4 }, () => ask(estimate, fixed(12), true)),
    [8, 4, 0, -1],
  );
  // Less than one each is one each, and nothing is nothing.
  assert.deepEqual([ask(estimate, fixed(2), true, 1, 'few'), ask(estimate, fixed(2), true, 1, 'few')], [0, -1]);
  assert.equal(ask(estimate, fixed(0), true, 1, 'none'), -1);
});

for (const [name, algorithm] of Object.entries(LimitAlgorithm)) {
  test(`${name}: never more than its share`, () => {
    const estimate = new LocalEstimate(new VirtualWall(), 3, 100);
    const limit = takeLimit(algorithm, 10, 10, 60, true);
    let taken = 0;
    for (let i = 0; i < 20; i++) if (ask(estimate, limit, false) !== -1) taken++;
    assert.equal(taken, 3);
  });
}

test('a full estimate says so', () => {
  const estimate = new LocalEstimate(new VirtualWall(), 1, 1);
  assert.equal(ask(estimate, fixed(3), true, 1, 'a'), 2);
  assert.equal(ask(estimate, fixed(3), true, 1, 'b'), 'x');
});
