import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import type { CounterStore, CounterWaiter } from '#ratelimit/store/counter-store.ts';
import { hashSlot } from '#ratelimit/store/hash-slot.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { PerSecondStore } from '#ratelimit/store/per-second-store.ts';
import { type Take, type TakeLimit, takeLimit } from '#ratelimit/store/take.ts';
import { TakeBatch } from '#ratelimit/store/take-batch.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { type OpenedStore, openRedisStore } from '../support/open-redis-store.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

async function connect(port: number): Promise<OpenedStore> {
  return await openRedisStore(port);
}

/** Answers as `after:reset`, or the error, in the order of the takes. */
async function ask(store: Pick<CounterStore, 'take'>, takes: readonly Take[], whole = false): Promise<string[]> {
  return await new Promise((resolve) => {
    const answers: string[] = [];
    let waiting = takes.length;
    const settle = (index: number, answer: string): void => {
      answers[index] = answer;
      if (--waiting === 0) resolve(answers);
    };
    store.take(takes, whole, {
      onCounter: (index, after, reset) => settle(index, `${after}:${reset}`),
      onCounterError: (index, message) => settle(index, message),
    });
  });
}

function take(limit: TakeLimit, key: string, hits = 1, index = 0, windowStart = 0): Take {
  return { limit, key, hits, index, windowStart };
}

const taken = (answer: string, limit: TakeLimit): boolean => Number(answer.split(':')[0]) <= limit.limit;

peerTest('redis-server', 'the script decides as the memory store does, step by step', async (binary) => {
  const redis = await startRedis(binary);
  const { store, client } = await connect(redis.port);
  try {
    const random = createSeededRandom(7);
    const pick = (below: number): number => Math.floor(random.next() * below);
    const wall = new VirtualWall();
    const memory = new MemoryStore(wall);
    const limits = [...Array(12).keys()].map((i) => {
      const algorithm = (i % 4) as LimitAlgorithm;
      const count = pick(12);
      const burst = count === 0 ? 0 : 1 + pick(20);
      return takeLimit(algorithm, count, burst, [1, 10, 60, 2_592_000][pick(4)]!, i % 5 !== 0);
    });
    for (let step = 0; step < 1500; step++) {
      wall.us += pick(3) === 0 ? pick(20_000_000) : pick(200_000);
      const seconds = Math.floor(wall.us / 1_000_000);
      const takes = [...Array(1 + pick(4)).keys()].map((index) => {
        const which = pick(limits.length);
        const limit = limits[which]!;
        const hits = pick(4) === 0 ? -pick(4) : pick(4);
        return take(limit, `k${which}`, hits, index, seconds - (seconds % limit.windowSeconds));
      });
      const keyed = takes.map((each) => ({ ...each, key: `${each.key}_${each.windowStart}` }));
      const each = keyed.map((one) => (one.limit.algorithm === 0 ? one : { ...one, key: one.key.split('_')[0]! }));
      const whole = pick(2) === 0;
      const batch = new TakeBatch(wall.us);
      const byScript = ask({ take: (t, w, waiter) => batch.add(t, w, waiter, () => 100_000) }, each, whole);
      await batch.send(client);
      assert.deepEqual(await byScript, await ask(memory, each, whole), `step ${step}`);
    }
  } finally {
    store.close();
    await redis.program.stop();
  }
});

peerTest(
  'redis-server',
  'a Redis whose clock was an hour ahead for a moment rejects for a window, no longer',
  async (binary) => {
    const redis = await startRedis(binary);
    const { store, client } = await connect(redis.port);
    try {
      for (const algorithm of [LimitAlgorithm.Bucket, LimitAlgorithm.SlidingWindow]) {
        const limit = takeLimit(algorithm, 10, 10, 10, true);
        const wall = new VirtualWall();
        const letIn = async (wanted: number): Promise<number> => {
          const batch = new TakeBatch(wall.us);
          const one = {
            take: (t: readonly Take[], w: boolean, waiter: CounterWaiter) => batch.add(t, w, waiter, () => 100),
          };
          const answers = [...Array(wanted).keys()].map(async () => await ask(one, [take(limit, `k${algorithm}`)]));
          await batch.send(client);
          return (await Promise.all(answers)).filter(([answer]) => taken(answer!, limit)).length;
        };
        wall.us += 3_600_000_000;
        assert.equal(await letIn(20), 10);
        wall.us -= 3_600_000_000;
        assert.equal(await letIn(20), 0, 'no second chance');
        let later = 0;
        for (let second = 0; second < 11; second++) {
          wall.us += 1_000_000;
          later += await letIn(1);
        }
        assert.ok(later >= 1 && later <= 20, `${later} within 11 seconds`);
      }
    } finally {
      store.close();
      await redis.program.stop();
    }
  },
);

peerTest(
  'redis-server',
  'one script call a turn, again after its text was forgotten; a foreign key fails alone',
  async (binary) => {
    const redis = await startRedis(binary);
    const { store, client } = await connect(redis.port);
    try {
      const limit = takeLimit(LimitAlgorithm.Bucket, 1, 5, 60, true);
      const many = await Promise.all(
        [...Array(8).keys()].map(async (i) => await ask(store, [take(limit, `k${i % 2}`)])),
      );
      assert.equal(many.filter(([answer]) => taken(answer!, limit)).length, 8);
      await client.script('FLUSH');
      await client.lpush('list', 'x');
      const [again, foreign] = await Promise.all([ask(store, [take(limit, 'k0')]), ask(store, [take(limit, 'list')])]);
      assert.match(again[0]!, /^1:/);
      assert.equal(foreign[0], 'redis: list holds something that is no limit');
      const stats = await client.info('commandstats');
      assert.equal(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1], '2');
      assert.equal(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1], '2');
      const life = await client.pttl('k0');
      assert.ok(life > 0 && life <= 301_000, `${life}`);
    } finally {
      store.close();
      await redis.program.stop();
    }
  },
);

peerTest(
  'redis-server',
  '8 clients over 4 stores: exactly N in a fixed window, bucket and sliding window within their bounds',
  async (binary) => {
    const redis = await startRedis(binary);
    const stores = await Promise.all([1, 2, 3, 4].map(async () => (await connect(redis.port)).store));
    const { client, store: own } = await connect(redis.port);
    try {
      const fixed = takeLimit(LimitAlgorithm.FixedWindow, 500, 0, 86_400, true);
      const bucket = takeLimit(LimitAlgorithm.Bucket, 200, 50, 1, true);
      const sliding = takeLimit(LimitAlgorithm.SlidingWindow, 120, 0, 1, true);
      const serverUs = async (): Promise<number> => {
        const [seconds, us] = await client.time();
        return Number(seconds) * 1_000_000 + Number(us);
      };
      const counts = [0, 0, 0];
      let added = 0;
      const start = await serverUs();
      await Promise.all(
        [...Array(8).keys()].map(async (n) => {
          const store = stores[n % 4]!;
          for (let round = 0; round < 200; round++) {
            const answers = await ask(store, [
              take(fixed, 'fixed_0', 1, 0),
              take(bucket, 'g1:k', 1, 1),
              take(sliding, 's1:k', 1, 2),
            ]);
            [fixed, bucket, sliding].forEach((limit, i) => {
              if (taken(answers[i]!, limit)) counts[i]!++;
            });
            await new Promise<void>((resolve) => {
              store.add(
                'plain_0',
                1,
                0,
                86_400,
                {
                  onCounter: (_i, after) => {
                    if (after <= 500) added++;
                    resolve();
                  },
                  onCounterError: (_i, m) => assert.fail(m),
                },
                0,
              );
            });
          }
        }),
      );
      const spanUs = (await serverUs()) - start;
      assert.equal(counts[0], 500);
      assert.equal(added, 500);
      const mostOfBucket = 50 + Math.floor((200 * spanUs) / 1_000_000);
      assert.ok(counts[1]! >= 50 && counts[1]! <= mostOfBucket, `${counts[1]} of ${mostOfBucket}`);
      const mostOfSliding = 120 * Math.ceil(spanUs / 1_000_000);
      assert.ok(counts[2]! >= 120 && counts[2]! <= mostOfSliding, `${counts[2]} of ${mostOfSliding}`);
      assert.equal(await client.get('plain_0'), '1600');
    } finally {
      for (const store of [...stores, own]) store.close();
      await redis.program.stop();
    }
  },
);

peerTest(
  'redis-server',
  'all or nothing over two servers: reserved, then given back; the worst over- and under-count',
  async (binary) => {
    const [first, second] = await Promise.all([startRedis(binary), startRedis(binary)]);
    const [main, perSecond] = await Promise.all([connect(first.port), connect(second.port)]);
    const store = new PerSecondStore(main.store, perSecond.store);
    try {
      const day = takeLimit(LimitAlgorithm.FixedWindow, 100, 0, 86_400, true);
      const flight = takeLimit(LimitAlgorithm.Concurrency, 3, 0, 1, true);
      const call = (): Take[] => [take(day, 'day_0', 1, 0), take(flight, 'c1:k', 1, 1)];
      // A crowd: each is let in or counts nowhere, once all has been given back.
      const crowd = await Promise.all([...Array(40).keys()].map(async () => await ask(store, call(), true)));
      const admitted = crowd.filter(([a, b]) => taken(a!, day) && taken(b!, flight)).length;
      assert.equal(admitted, 3);
      // What is given back goes with the next turn: one more question after it on the same connection.
      assert.deepEqual((await ask(main.store, [take(day, 'day_0', 0)]))[0]!.split(':')[0], '3');
      assert.equal(await main.client.get('day_0'), '3');
      // Until then the reserved hits are missing to others: never more than those of the calls that are under way.
      const tight = takeLimit(LimitAlgorithm.FixedWindow, 10, 0, 86_400, true);
      const [crowded, other] = await Promise.all([
        Promise.all(
          [...Array(10).keys()].map(
            async () => await ask(store, [take(tight, 'tight_0', 1, 0), take(flight, 'c1:k', 5, 1)], true),
          ),
        ),
        ask(store, [take(tight, 'tight_0', 1, 0)], true),
      ]);
      assert.equal(crowded.filter(([, b]) => taken(b!, flight)).length, 0);
      assert.equal(taken(other[0]!, tight), false);
      assert.equal(taken((await ask(store, [take(tight, 'tight_0', 10, 0)], true))[0]!, tight), true);
    } finally {
      store.close();
      await Promise.all([first.program.stop(), second.program.stop()]);
    }
  },
);

test('slots of a cluster are those of its specification', () => {
  assert.equal(hashSlot('123456789'), 0x31c3);
  assert.equal(hashSlot('{user1000}.following'), hashSlot('user1000'));
  assert.equal(hashSlot('foo{}{bar}'), hashSlot('foo{}{bar}x'.slice(0, -1)));
  assert.notEqual(hashSlot('foo{}{bar}'), hashSlot('bar'));
});
