import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '#gateway/runtime/random.ts';
import { keyLifeSeconds } from '#ratelimit/store/key-life.ts';

const random = (next: number): Random => ({ next: () => next, uint32: () => 0, uuid: () => '' });

test('a key lives for its window and a random part, which is shorter than the window', () => {
  const cases: readonly (readonly [window: number, jitter: number, next: number, life: number])[] = [
    [1, 300, 0.999, 1],
    [60, 300, 0, 60],
    [60, 300, 0.999, 119],
    [3600, 300, 0.999, 3899],
    [3600, 0, 0.999, 3600],
    [86_400, 1_000_000, 0.5, 129_600],
  ];
  for (const [window, jitter, next, life] of cases) {
    assert.equal(keyLifeSeconds(window, jitter, random(next)), life, `${window} ${jitter} ${next}`);
  }
});
