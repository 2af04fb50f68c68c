import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { EventQueue } from '#ratelimit/simulate/event-queue.ts';
import { Timeline } from '#ratelimit/simulate/timeline.ts';
import { TopKeys } from '#ratelimit/simulate/top-keys.ts';

test('events come in the order of their time, then of their number', () => {
  const random = createSeededRandom(5);
  const queue = new EventQueue<{ timeUs: number; order: number }>();
  const expected: { timeUs: number; order: number }[] = [];
  for (let order = 0; order < 2000; order++) {
    const event = { timeUs: Math.floor(random.next() * 300), order };
    queue.add(event);
    expected.push(event);
  }
  expected.sort((a, b) => a.timeUs - b.timeUs || a.order - b.order);
  assert.equal(queue.size, 2000);
  assert.deepEqual(queue.first, expected[0]);
  const taken = expected.map(() => queue.take());
  assert.deepEqual(taken, expected);
  assert.equal(queue.take(), null);
});

test('the highest counts are kept in bounded memory, with how much they may be too low', () => {
  const keys = new TopKeys();
  for (let i = 0; i < 200_000; i++) {
    keys.add(`rare ${i}`, 1);
    if (i % 10 === 0) keys.add('often', 1);
    if (i % 100 === 0) keys.add('sometimes', 1);
  }
  assert.ok(keys.size <= 10_001, `${keys.size}`);
  const [first, second] = keys.top(2);
  assert.deepEqual([first!.key, second!.key], ['often', 'sometimes']);
  assert.ok(first!.count <= 20_000 && first!.count + keys.error >= 20_000);
  const few = new TopKeys();
  for (const key of ['b', 'a', 'b', 'c']) few.add(key, 1);
  assert.deepEqual(few.top(5), [
    { key: 'b', count: 2 },
    { key: 'a', count: 1 },
    { key: 'c', count: 1 },
  ]);
  assert.equal(few.error, 0);
});

test('a timeline finds its length, keeps one that was given, and is bounded', () => {
  const free = new Timeline(null, 1);
  for (let second = 0; second < 7200; second++) {
    free.add(second * 1_000_000, -1);
    if (second % 3 === 0) free.add(second * 1_000_000, 0);
  }
  const { seconds, rows } = free.rows(40);
  assert.deepEqual([seconds, rows.length, rows[1]], [300, 24, { start: 300, requests: 300, limited: [100] }]);
  const given = new Timeline(90, 2);
  for (let second = 0; second < 900; second++) given.add(second * 1_000_000, 1);
  assert.deepEqual(given.rows(2).rows.length, 10);
  for (const length of [null, 1]) {
    const long = new Timeline(length, 1);
    for (let day = 0; day < 50_000; day++) long.add(day * 86_400_000_000, -1);
    const all = long.rows(40);
    assert.ok(all.rows.length <= 10_000);
    assert.equal(
      all.rows.reduce((sum, row) => sum + row.requests, 0),
      50_000,
    );
  }
});
