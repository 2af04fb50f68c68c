import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { atTurnEnd, turnNowMs } from '#gateway/runtime/turn.ts';

test('tasks run once, at the end of the turn, in order', async () => {
  const ran: number[] = [];
  for (const n of [1, 2, 3]) atTurnEnd({ onTurnEnd: () => ran.push(n) });
  assert.deepEqual(ran, []);
  await turn();
  await turn();
  assert.deepEqual(ran, [1, 2, 3]);
});

test('a task queued while tasks run has the next turn', async () => {
  const ran: string[] = [];
  const second = { onTurnEnd: (): number => ran.push('second') };
  atTurnEnd({
    onTurnEnd(): void {
      ran.push('first');
      atTurnEnd(second);
    },
  });
  await turn();
  await turn();
  await turn();
  assert.deepEqual(ran, ['first', 'second']);
});

test('time stands still in a turn that has work put off, and goes on in the next', async () => {
  atTurnEnd({ onTurnEnd: () => {} });
  const first = turnNowMs();
  const until = performance.now() + 2;
  while (performance.now() < until);
  assert.equal(turnNowMs(), first);
  await turn();
  await turn();
  assert.ok(turnNowMs() >= first + 2);
});
