import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import type { CounterWaiter } from '#ratelimit/store/counter-store.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { type TakeLimit, takeLimit } from '#ratelimit/store/take.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

/** One attempt: whether it was taken, and what is left. */
interface Outcome {
  readonly taken: boolean;
  readonly remaining: number;
  readonly reset: number;
}

class World {
  readonly wall: VirtualWall = new VirtualWall();
  readonly store: MemoryStore;

  constructor(maxCounters = 1000) {
    this.store = new MemoryStore(this.wall, maxCounters);
  }

  take(limit: TakeLimit, hits = 1, key = 'k'): Outcome | string {
    let got: Outcome | string = 'no answer';
    const waiter: CounterWaiter = {
      onCounter: (_index, after, reset = -1) => {
        got = { taken: after <= limit.limit, remaining: Math.max(0, limit.limit - after), reset };
      },
      onCounterError: (_index, message) => {
        got = message;
      },
    };
    const { windowSeconds } = limit;
    const seconds = Math.floor(this.wall.us / 1_000_000);
    const windowStart = seconds - (seconds % windowSeconds);
    this.store.take([{ limit, key, windowStart, hits, index: 0 }], false, waiter);
    return got;
  }

  taken(limit: TakeLimit, hits = 1): boolean {
    const got = this.take(limit, hits);
    assert.ok(typeof got !== 'string', String(got));
    return got.taken;
  }
}

/** The most hits in any time span of `spanUs`, of times in ascending order. */
function mostWithin(times: readonly number[], spanUs: number): number {
  let most = 0;
  let from = 0;
  for (let to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! >= spanUs) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

const seeds = [1, 2, 3, 4];

for (const seed of seeds) {
  test(`fixed window: exactly N in each window under steady demand, seed ${seed}`, () => {
    const world = new World();
    const random = createSeededRandom(seed);
    const limit = takeLimit(LimitAlgorithm.FixedWindow, 7 + seed, 0, 10, true);
    const byWindow = new Map<number, number>();
    for (let i = 0; i < 4000; i++) {
      world.wall.us += Math.floor(random.next() * 200_000);
      const window = Math.floor(world.wall.us / 10_000_000);
      byWindow.set(window, (byWindow.get(window) ?? 0) + (world.taken(limit) ? 1 : 0));
    }
    const whole = [...byWindow.values()].slice(1, -1);
    assert.ok(whole.length > 20);
    assert.deepEqual(new Set(whole), new Set([7 + seed]));
  });

  test(`gcra: in any time at most burst + floor(rate * time), within 1 of it under steady demand, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    const perWindow = 1 + Math.floor(random.next() * 50);
    // With a burst of 1 nothing can be saved up, and what drips between two requests is lost: 2 is the least for "within 1".
    const burst = 2 + Math.floor(random.next() * 20);
    const windowSeconds = [1, 3, 60, 86_400][seed % 4]!;
    const limit = takeLimit(LimitAlgorithm.Bucket, perWindow, burst, windowSeconds, true);
    const world = new World();
    const times: number[] = [];
    const gapUs = (windowSeconds * 1_000_000) / perWindow;
    for (let i = 0; i < 3000; i++) {
      // Bursts at one moment, dense demand, and now and then a silence.
      const pace = random.next();
      world.wall.us += Math.floor(pace < 0.3 ? 0 : pace < 0.99 ? random.next() * gapUs : random.next() * gapUs * 30);
      if (world.taken(limit)) times.push(world.wall.us);
    }
    for (let from = 0; from < times.length; from++) {
      for (let to = from; to < Math.min(times.length, from + 200); to++) {
        const allowed = burst + Math.floor(((times[to]! - times[from]!) * perWindow) / (windowSeconds * 1_000_000));
        assert.ok(to - from + 1 <= allowed, `${to - from + 1} taken where ${allowed} may`);
      }
    }
    const steady = new World();
    const start = steady.wall.us;
    let taken = 0;
    for (let i = 0; i < 4000; i++) {
      steady.wall.us = start + Math.floor((i * gapUs) / 4);
      if (steady.taken(limit)) taken++;
      const allowed = burst + Math.floor(((steady.wall.us - start) * perWindow) / (windowSeconds * 1_000_000));
      const asked = i + 1;
      assert.ok(taken <= allowed && taken >= Math.min(asked, allowed) - 1, `${taken} of ${allowed} after ${asked}`);
    }
  });

  test(`sliding window: at most N in any window, refused only with N in a window and a 20th, seed ${seed}`, () => {
    const world = new World();
    const random = createSeededRandom(seed);
    const count = 5 + seed * 3;
    const limit = takeLimit(LimitAlgorithm.SlidingWindow, count, 0, 10, true);
    const times: number[] = [];
    let refused = 0;
    for (let i = 0; i < 4000; i++) {
      world.wall.us += Math.floor(random.next() * 100_000);
      if (world.taken(limit)) times.push(world.wall.us);
      else {
        refused++;
        assert.ok(times.filter((time) => world.wall.us - time < 10_500_000).length >= count);
      }
    }
    assert.ok(refused > 1000);
    assert.equal(mostWithin(times, 10_000_000), count);
  });
}

test('gcra: burst 10 at 3 a second, drip by drip', () => {
  const world = new World();
  const limit = takeLimit(LimitAlgorithm.Bucket, 3, 10, 1, true);
  for (let i = 0; i < 10; i++) assert.deepEqual((world.take(limit) as Outcome).taken, true);
  assert.deepEqual(world.take(limit), { taken: false, remaining: 0, reset: 1 });
  world.wall.us += 333_333;
  assert.equal(world.taken(limit), false);
  world.wall.us += 1;
  assert.equal(world.taken(limit), true);
  assert.equal(world.taken(limit), false);
  world.wall.us += 60_000_000;
  assert.equal(world.taken(limit, 11), false);
  assert.equal(world.taken(limit, 10), true);
});

test('refunds stop at zero, on every algorithm', () => {
  for (const algorithm of Object.values(LimitAlgorithm)) {
    const world = new World();
    const limit = takeLimit(algorithm, 5, 5, 60, true);
    world.taken(limit, 5);
    assert.equal(world.taken(limit), false, `${algorithm}`);
    world.taken(limit, -2);
    assert.equal(world.taken(limit, 3), false);
    assert.equal(world.taken(limit, 2), true);
    world.taken(limit, -100);
    assert.equal(world.taken(limit, 6), false);
    assert.equal(world.taken(limit, 5), true);
  }
});

test('concurrency: as many as are let in flight, and a request that never ends stops counting when its lease is over', () => {
  const world = new World();
  const limit = takeLimit(LimitAlgorithm.Concurrency, 3, 0, 30, true);
  assert.equal(world.taken(limit), true); // never says that it is done
  let longestUs = 0;
  const start = world.wall.us;
  for (let i = 0; i < 1000; i++) {
    assert.equal(world.taken(limit), true);
    assert.equal(world.taken(limit), true);
    const third = world.taken(limit);
    if (!third) longestUs = world.wall.us - start;
    world.wall.us += 100_000;
    world.taken(limit, third ? -3 : -2);
  }
  assert.ok(longestUs >= 29_000_000 && longestUs <= 31_500_000, `${longestUs}`);
});

test('all or nothing: a call that is refused takes from none of its limits', () => {
  const world = new World();
  for (const algorithm of Object.values(LimitAlgorithm)) {
    const three = takeLimit(algorithm, 3, 3, 60, true);
    const ten = takeLimit(LimitAlgorithm.Bucket, 1, 10, 86_400, true);
    const shadow = takeLimit(algorithm, 0, 0, 60, false);
    const codes: boolean[] = [];
    const waiter: CounterWaiter = {
      onCounter: (index, after) => {
        codes[index] = after <= [three, ten, shadow][index]!.limit;
      },
      onCounterError: (_index, message) => assert.fail(message),
    };
    const windowStart = Math.floor(world.wall.us / 60_000_000) * 60;
    const ask = (): boolean[] => {
      world.store.take(
        [three, ten, shadow].map((limit, index) => ({
          limit,
          key: `${algorithm}${index}`,
          windowStart,
          hits: 1,
          index,
        })),
        true,
        waiter,
      );
      return [...codes];
    };
    for (let i = 0; i < 3; i++) assert.deepEqual(ask(), [true, true, false]);
    for (let i = 0; i < 3; i++) assert.deepEqual(ask(), [false, true, false]);
    assert.deepEqual(world.take(ten, 7, `${algorithm}1`), { taken: true, remaining: 0, reset: 86_400 * 10 });
  }
});

test('the table is bounded, refuses what is new when it is full, and takes it again when the old has expired', () => {
  const world = new World(100);
  const limit = takeLimit(LimitAlgorithm.Bucket, 10, 10, 1, true);
  for (let i = 0; i < 100; i++) assert.notEqual(typeof world.take(limit, 1, `k${i}`), 'string');
  assert.equal(world.take(limit, 1, 'new'), 'the in-memory store is full: 100 counters');
  assert.notEqual(typeof world.take(limit, 1, 'k5'), 'string');
  assert.equal(world.store.size, 100);
  world.wall.us += 2_000_000;
  for (let i = 0; i < 100; i++) assert.notEqual(typeof world.take(limit, 1, `later${i}`), 'string');
  assert.ok(world.store.size <= 100);
});

test('200,000 keys of short life leave a small table', () => {
  const world = new World(1_000_000);
  const limit = takeLimit(LimitAlgorithm.Bucket, 1000, 5, 1, true);
  for (let i = 0; i < 200_000; i++) {
    world.wall.us += 100; // an entry lives for a millisecond: some ten are alive
    world.take(limit, 1, `key_${i}`);
  }
  assert.ok(world.store.size < 1500, `${world.store.size}`);
});
