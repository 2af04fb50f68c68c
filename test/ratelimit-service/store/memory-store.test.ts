import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#gateway/runtime/clock.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';

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

test('a full store refuses new keys and goes on counting the old', () => {
  const add = adder(new MemoryStore(systemClock, 2));
  add('a', 1, 60);
  add('b', 1, 60);
  assert.equal(add('c', 1, 60), 'the in-memory store is full: 2 counters');
  assert.equal(add('a', 1, 60), 2);
  assert.equal(add('c', 1, 120), 1);
});
