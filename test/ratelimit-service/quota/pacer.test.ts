import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pacer } from '#ratelimit/quota/pacer.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

test('many tasks are run in portions and in their order', () => {
  const time = new VirtualTime();
  const pacer = new Pacer(time, time.timers);
  const ran: number[] = [];
  const add = (i: number): void => pacer.add({ runPaced: () => ran.push(i) }, null);
  for (let i = 0; i < 1700; i++) add(i);
  assert.equal(ran.length, 500);
  time.advance(16);
  assert.ok(ran.length > 500 && ran.length < 1700, String(ran.length));
  add(1700);
  time.advance(100);
  assert.deepEqual(
    ran,
    Array.from({ length: 1701 }, (_, i) => i),
  );
  add(1701);
  assert.equal(ran.at(-1), 1701, 'one alone is run at once');
  for (let i = 0; i < 600; i++) add(i);
  pacer.close();
  const { length } = ran;
  time.advance(100);
  assert.equal(ran.length, length);
});
