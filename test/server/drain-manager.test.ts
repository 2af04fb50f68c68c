import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { DrainManager } from '#gateway/server/drain-manager.ts';

function at(strategy: 'gradual' | 'immediate'): { drain: DrainManager; clock: { ms: number } } {
  const clock = { ms: 0 };
  const source = { nowMs: () => clock.ms, wallMs: () => 0 };
  return { drain: new DrainManager(source, createSeededRandom(7), 1000, strategy), clock };
}

/** How many of a thousand responses are told to close. */
function closing(drain: DrainManager): number {
  let count = 0;
  for (let i = 0; i < 1000; i++) if (drain.drainClose()) count++;
  return count;
}

test('gradual: ever more connections close as the drain time passes', () => {
  const { drain, clock } = at('gradual');
  assert.equal(closing(drain), 0);
  drain.start();
  clock.ms = 250;
  const early = closing(drain);
  assert.ok(early > 180 && early < 320, String(early));
  clock.ms = 750;
  const late = closing(drain);
  assert.ok(late > 680 && late < 820, String(late));
  clock.ms = 1000;
  assert.equal(closing(drain), 1000);
});

test('immediate: all at once', () => {
  const { drain } = at('immediate');
  drain.start();
  assert.equal(closing(drain), 1000);
});

test('a failed health check closes too, without a drain', () => {
  const { drain } = at('gradual');
  drain.watchHealth(() => true);
  assert.deepEqual([drain.drainClose(), drain.draining], [true, false]);
});
