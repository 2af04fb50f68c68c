import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import type { CounterStore, CounterWaiter } from '#ratelimit/store/counter-store.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { takeInParts } from '#ratelimit/store/reserved-take.ts';
import { type TakeLimit, takeLimit } from '#ratelimit/store/take.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

/** A place that answers when it is told to, and refuses or fails. */
class SlowPlace implements Pick<CounterStore, 'take'> {
  answer: (over: boolean, error?: string) => void = () => {};

  take(takes: Parameters<CounterStore['take']>[0], _whole: boolean, waiter: CounterWaiter): void {
    this.answer = (over, error) => {
      for (const { index, limit } of takes) {
        if (error !== undefined) waiter.onCounterError(index, error);
        else waiter.onCounter(index, over ? limit.limit + 1 : limit.limit, 1);
      }
    };
  }
}

class Call {
  readonly wall: VirtualWall = new VirtualWall();
  readonly near: MemoryStore = new MemoryStore(this.wall);
  readonly far: SlowPlace = new SlowPlace();
  readonly answers: string[] = [];
  readonly limit: TakeLimit;

  constructor(algorithm: LimitAlgorithm) {
    this.limit = takeLimit(algorithm, 10, 10, 1, true);
  }

  /** Five hits near and one far, all or nothing. */
  start(): void {
    const far = takeLimit(LimitAlgorithm.FixedWindow, 1, 0, 60, true);
    takeInParts(
      [
        { store: this.near, takes: [{ limit: this.limit, key: 'near', windowStart: 0, hits: 5, index: 0 }] },
        { store: this.far, takes: [{ limit: far, key: 'far', windowStart: 0, hits: 1, index: 1 }] },
      ],
      true,
      {
        onCounter: (index, after) => this.answers.push(`${index}: ${after}`),
        onCounterError: (index, message) => this.answers.push(`${index}: ${message}`),
      },
    );
  }

  /** How many single hits the near limit has room for: it is full afterwards. */
  room(): number {
    for (let count = 0; ; count++) if (!this.take(1)) return count;
  }

  take(hits: number): boolean {
    let taken = false;
    this.near.take([{ limit: this.limit, key: 'near', windowStart: 0, hits, index: 0 }], false, {
      onCounter: (_index, after) => {
        taken = after <= this.limit.limit;
      },
      onCounterError: (_index, message) => assert.fail(message),
    });
    return taken;
  }
}

for (const [name, algorithm] of Object.entries(LimitAlgorithm)) {
  test(`${name}: what is reserved is missing until it is given back, and no longer`, () => {
    const call = new Call(algorithm);
    call.start();
    assert.deepEqual(call.answers, []);
    assert.equal(call.take(6), false); // the worst over-count: the hits of the call under way
    assert.equal(call.take(5), true);
    call.far.answer(true);
    assert.deepEqual(call.answers, ['0: 0', '1: 2']);
    assert.equal(call.room(), 5);
  });

  test(`${name}: a place that fails gives the rest back as well`, () => {
    const call = new Call(algorithm);
    call.start();
    call.far.answer(false, 'gone');
    assert.deepEqual(call.answers, ['0: 0', '1: gone']);
    assert.equal(call.room(), 10);
  });

  test(`${name}: what is let in stays counted`, () => {
    const call = new Call(algorithm);
    call.start();
    call.far.answer(false);
    assert.deepEqual(call.answers, ['0: 5', '1: 1']);
    assert.equal(call.room(), 5);
  });
}

test('the worst under-count: as many hits as are given back, when they had drained in between', () => {
  const call = new Call(LimitAlgorithm.Bucket);
  call.start();
  call.wall.us += 500_000; // all five have drained
  assert.equal(call.take(3), true);
  call.far.answer(true);
  const room = call.room();
  assert.ok(room >= 7 && room <= 7 + 5, `${room}`);
});
