import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#gateway/runtime/clock.ts';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { takeLimit } from '#ratelimit/store/take.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

/** A clock at so many seconds. */
function wallAt(seconds: number): VirtualWall {
  const wall = new VirtualWall();
  wall.us = seconds * 1_000_000;
  return wall;
}

function adder(store: MemoryStore): (key: string, hits: number, start: number, seconds?: number) => number | string {
  return (key, hits, start, seconds = 60) => {
    let got: number | string = 'no answer';
    store.add(
      key,
      hits,
      start,
      seconds,
      {
        onCounter: (_index, after) => {
          got = after;
        },
        onCounterError: (_index, message) => {
          got = message;
        },
      },
      0,
    );
    return got;
  };
}

test('counters are exact and end with their window', () => {
  const store = new MemoryStore(systemClock);
  const add = adder(store);
  assert.equal(add('a', 1, 60), 1);
  assert.equal(add('a', 2, 60), 3);
  assert.equal(add('a', 0, 60), 3);
  assert.equal(add('b', 0, 60), 0);
  assert.equal(store.size, 1);
  assert.equal(add('a', 1, 60, 3600), 1);
  assert.equal(add('b', 1, 120), 1);
  assert.equal(store.size, 2);
});

test('a clock that was set back does not give a second chance', () => {
  const add = adder(new MemoryStore(systemClock));
  add('a', 5, 120);
  assert.equal(add('a', 1, 60), 6);
});

test('a full store refuses new keys and goes on counting the old; what has ended makes room', () => {
  const wall = wallAt(60);
  const store = new MemoryStore(wall, 3);
  const add = adder(store);
  const full = 'the in-memory store is full: 3 counters';
  add('a', 1, 60);
  add('b', 1, 60);
  add('d', 1, 0, 3600);
  assert.equal(add('c', 1, 60), full);
  assert.equal(add('c', 1, 0, 3600), full, 'windows of all lengths count together');
  assert.deepEqual([add('a', 1, 60), add('c', 0, 60)], [2, 0]);
  wall.us += 60 * 1_000_000;
  assert.equal(add('c', 1, 0, 3600), 1, 'the minute is over: its counters went first');
  assert.deepEqual([add('d', 1, 0, 3600), add('a', 1, 120), add('b', 1, 120), store.size], [2, 1, full, 3]);
});

test('a store that is full of buckets takes new keys when old ones have leaked out', () => {
  const wall = wallAt(1000);
  const store = new MemoryStore(wall, 2);
  const limit = takeLimit(LimitAlgorithm.Bucket, 10, 10, 10, true);
  const take = (key: string): number | string => {
    let got: number | string = 'no answer';
    store.take([{ limit, key, windowStart: 0, hits: 1, index: 0 }], false, {
      onCounter: (_index, after) => {
        got = after;
      },
      onCounterError: (_index, message) => {
        got = message;
      },
    });
    return got;
  };
  assert.deepEqual([take('a'), take('b'), take('b')], [1, 1, 2]);
  assert.equal(take('c'), 'the in-memory store is full: 2 counters');
  wall.us += 1.5 * 1_000_000;
  assert.deepEqual([take('c'), take('b')], [1, 2], 'a has leaked out; b has half a hit left');
});

test('memory stays where it is while windows of new keys come and go', () => {
  const wall = wallAt(0);
  const store = new MemoryStore(wall, 10_000);
  const add = adder(store);
  for (let window = 1; window <= 50; window++) {
    wall.us += 60 * 1_000_000;
    for (let i = 0; i < 5000; i++) assert.equal(add(`key_${window}_${i}`, 1, window * 60), 1);
    assert.equal(store.size, 5000);
  }
});
