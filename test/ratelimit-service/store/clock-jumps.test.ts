import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#gateway/runtime/clock.ts';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { type TakeLimit, takeLimit } from '#ratelimit/store/take.ts';

/** A wall clock that is set forward and back, and one that is not. */
class SetClock implements Clock {
  realMs = 1_000_000;
  aheadMs = 1_795_293_151_000;

  nowMs(): number {
    return this.realMs;
  }

  wallMs(): number {
    return this.realMs + this.aheadMs;
  }
}

const hourMs = 3_600_000;

/** How many of these are let in now. */
function letIn(store: MemoryStore, clock: Clock, limit: TakeLimit, wanted: number, key = 'k'): number {
  const seconds = Math.floor(clock.wallMs() / 1000);
  const windowStart = seconds - (seconds % limit.windowSeconds);
  let taken = 0;
  for (let i = 0; i < wanted; i++) {
    const own = limit.algorithm === LimitAlgorithm.FixedWindow ? `${key}_${windowStart}` : key;
    store.take([{ limit, key: own, windowStart, hits: 1, index: 0 }], false, {
      onCounter: (_index, after) => {
        if (after <= limit.limit) taken++;
      },
      onCounterError: (_index, message) => assert.fail(message),
    });
  }
  return taken;
}

const algorithms = Object.entries(LimitAlgorithm);

for (const [name, algorithm] of algorithms) {
  const limit = takeLimit(algorithm, 10, 10, 10, true);

  test(`${name}: a clock that was an hour ahead for a moment rejects for no longer than a window`, () => {
    const clock = new SetClock();
    const store = new MemoryStore(clock);
    clock.aheadMs += hourMs;
    assert.equal(letIn(store, clock, limit, 20), 10);
    clock.aheadMs -= hourMs;
    let taken = 0;
    for (let tenth = 0; tenth < 220; tenth++) {
      clock.realMs += 100;
      taken += letIn(store, clock, limit, 1);
    }
    assert.ok(taken >= 10, `${taken} in 22 seconds`);
    assert.ok(taken <= 42, `${taken} in 22 seconds`);
  });

  test(`${name}: a clock that trembles gives nobody more`, () => {
    const clock = new SetClock();
    const store = new MemoryStore(clock);
    let taken = 0;
    const tremble = algorithm === LimitAlgorithm.FixedWindow ? 0 : 900;
    for (let tenth = 0; tenth < 200; tenth++) {
      clock.realMs += 100;
      clock.aheadMs += tenth % 2 === 0 ? tremble : -tremble;
      taken += letIn(store, clock, limit, 3);
    }
    assert.ok(taken <= 31, `${taken} in 20 seconds`);
  });

  test(`${name}: a clock that is set back by an hour, for good, goes on from there`, () => {
    const clock = new SetClock();
    const store = new MemoryStore(clock);
    assert.equal(letIn(store, clock, limit, 20), 10);
    clock.aheadMs -= hourMs;
    clock.realMs += 11_000;
    const taken = letIn(store, clock, limit, 20);
    if (algorithm === LimitAlgorithm.FixedWindow) assert.equal(taken, 10);
    clock.realMs += 11_000;
    assert.equal(letIn(store, clock, limit, 20), 10);
  });
}

test('keys that come after a clock was ahead are dropped with their windows: the store does not fill', () => {
  const clock = new SetClock();
  const store = new MemoryStore(clock, 100);
  const perSecond = takeLimit(LimitAlgorithm.FixedWindow, 1, 1, 1, true);
  clock.aheadMs += hourMs;
  letIn(store, clock, perSecond, 1);
  clock.aheadMs -= hourMs;
  for (let second = 0; second < 50; second++) {
    clock.realMs += 1000;
    for (let i = 0; i < 10; i++) assert.equal(letIn(store, clock, perSecond, 1, `${second}_${i}`), 1);
  }
  assert.ok(store.size <= 20, `${store.size} counters`);
});
