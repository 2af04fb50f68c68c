import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { createSeededRandom, type Random } from '#gateway/runtime/random.ts';
import { untilCounted } from '../support/ask-load.ts';
import { startFakeRedis } from '../support/fake-redis.ts';
import { addTo, openRedisStore } from '../support/open-redis-store.ts';

const pieces = [
  '+',
  '-',
  ':',
  '$',
  '*',
  '%',
  '~',
  '>',
  '_',
  '#',
  '(',
  ',',
  '!',
  '=',
  '|',
  '\r\n',
  '\r',
  '\n',
  '-1',
  '0',
];
const words = [
  '1',
  '3',
  'OK',
  'message',
  'subscribe',
  'READONLY ',
  'MOVED 1 127.0.0.1:1',
  'NOSCRIPT',
  'txt:',
  '999999999999999999999',
];

function nonsense(random: Random): Buffer {
  const pick = (list: readonly string[]): string => list[Math.floor(random.next() * list.length)]!;
  const parts: Buffer[] = [];
  for (let i = Math.floor(random.next() * 20); i >= 0; i--) {
    const kind = random.next();
    if (kind < 0.6) parts.push(Buffer.from(pick(pieces)));
    else if (kind < 0.9) parts.push(Buffer.from(pick(words)));
    else parts.push(Buffer.from(Array.from({ length: 8 }, () => random.uint32() & 0xff)));
  }
  return Buffer.concat(parts);
}

for (const seed of [1, 2, 3]) {
  test(`nonsense of every shape: no crash, and right numbers as soon as Redis is itself again, seed ${seed}`, async () => {
    const random = createSeededRandom(seed);
    const fake = await startFakeRedis();
    const { store, stats } = await openRedisStore(fake.port, {
      callTimeoutMs: 20,
      connectTimeoutMs: 100,
      breaker: {
        consecutiveFailures: 0,
        failureShare: 0,
        minimumBatches: 1,
        windowMs: 1,
        backoffMs: 1,
        maxBackoffMs: 1,
      },
    });
    try {
      for (let round = 0; round < 25; round++) {
        await untilCounted(store, 'before');
        fake.misbehave = (socket, reply) => {
          if (random.next() < 0.5) socket.write(reply);
          socket.write(nonsense(random));
        };
        await Promise.allSettled([addTo(store, 'a'), addTo(store, 'b', 2)]);
        fake.misbehave = null;
      }
      let right = 0;
      for (let i = 0; i < 200 && right < 5; i++) {
        const told = await untilCounted(store, 'c');
        right = told === fake.counters.get('c') ? right + 1 : 0;
      }
      assert.equal(right, 5, JSON.stringify(stats.errors));
    } finally {
      store.close();
      await fake.close();
    }
  });
}
