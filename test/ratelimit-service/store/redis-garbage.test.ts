import assert from 'node:assert/strict';
import type net from 'node:net';
import { test } from 'node:test';
import { until } from '#test/support/until.ts';
import { untilCounted } from '../support/ask-load.ts';
import { startFakeRedis } from '../support/fake-redis.ts';
import { addTo, openRedisStore } from '../support/open-redis-store.ts';

const short = { callTimeoutMs: 500, connectTimeoutMs: 500 };
/** For calls that are answered: not even a machine that stands still for a moment makes one fail. */
const patient = { callTimeoutMs: 5000, connectTimeoutMs: 5000 };

const nonsense: readonly (readonly [title: string, text: string])[] = [
  ['a web server', 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'],
  ['octets', '\u0000\u0001\u00ff\u00fe\r\n\u0080'],
  ['OK to everything', '+OK\r\n'],
  ['text for numbers', '$3\r\nabc\r\n'],
  ['lists', '*2\r\n:1\r\n:2\r\n'],
  ['nothing', '$-1\r\n'],
  ['a number that is none', ':twelve\r\n'],
  ['an endless line', `+${'x'.repeat(100_000)}`],
  ['a reply that never ends', '$1000\r\nabc'],
];

for (const [title, text] of nonsense) {
  test(`${title}: calls fail, nothing is miscounted, and it works again when Redis is back`, async () => {
    const fake = await startFakeRedis();
    const { store, stats } = await openRedisStore(fake.port, short);
    try {
      assert.equal(await addTo(store, 'a'), 1);
      fake.misbehave = (socket) => socket.write(text, 'latin1');
      for (let i = 0; i < 10; i++) {
        const told = await addTo(store, 'a').catch((error: Error) => error.message);
        assert.match(String(told), /^redis: /);
      }
      fake.misbehave = null;
      const before = fake.counters.get('a')!;
      const again = await untilCounted(store, 'a');
      assert.ok(again > before, `${again} after ${before}`);
      assert.equal(again, fake.counters.get('a'));
      assert.equal(await addTo(store, 'a'), again + 1);
      const { errors } = stats;
      assert.ok(errors.garbage + errors.timeout + errors.disconnected > 0);
    } finally {
      store.close();
      await fake.close();
    }
  });
}

const unasked: readonly string[] = [
  '$-1\r\n',
  '*-1\r\n',
  '_\r\n',
  '*0\r\n',
  '-ERR bye\r\n',
  '#t\r\n',
  '%1\r\n+a\r\n+b\r\n',
  '(123\r\n',
  ',1.5\r\n',
  '!5\r\nERR x\r\n',
  '=7\r\ntxt:abc\r\n',
  '|1\r\n+a\r\n+b\r\n:3\r\n',
  '>0\r\n',
  '>1\r\n_\r\n',
  '>1\r\n$9\r\nsubscribe\r\n',
  '>3\r\n$9\r\nsubscribe\r\n+a\r\n:1\r\n',
  '>3\r\n$12\r\nsunsubscribe\r\n+a\r\n:0\r\n',
];

for (const extra of unasked) {
  test(`nobody asked for ${JSON.stringify(extra)}: it ends no process and is no call's answer`, async () => {
    const fake = await startFakeRedis();
    const { store } = await openRedisStore(fake.port, patient);
    try {
      assert.equal(await addTo(store, 'a'), 1);
      fake.misbehave = sayOnce(extra);
      assert.equal(await addTo(store, 'a'), 2);
      await untilCounted(store, 'a');
      assert.equal(await untilCounted(store, 'a'), fake.counters.get('a'));
    } finally {
      store.close();
      await fake.close();
    }
  });
}

test('an answer that nobody asked for: the connection is not trusted any more, and no call gets it', async () => {
  const fake = await startFakeRedis();
  const { store, stats } = await openRedisStore(fake.port, patient);
  try {
    assert.equal(await addTo(store, 'a'), 1);
    // The answer to EXPIRE has another one behind it.
    fake.misbehave = sayOnce(':999\r\n');
    assert.equal(await addTo(store, 'a'), 2);
    const next = await untilCounted(store, 'a');
    assert.equal(next, fake.counters.get('a'));
    await until(() => stats.reconnects === 1);
    assert.equal(stats.pools[0]!.cxLocalClose, 1);
  } finally {
    store.close();
    await fake.close();
  }
});

/** Says this once, behind the answer to EXPIRE. */
function sayOnce(extra: string): (socket: net.Socket, reply: string) => void {
  let said = 0;
  return (socket, reply) => {
    said++;
    socket.write(said === 2 ? reply + extra : reply);
  };
}

test('a connection that ends with the answers outstanding: nothing is sent again', async () => {
  const fake = await startFakeRedis();
  const { store, stats } = await openRedisStore(fake.port, patient);
  try {
    let ends = 0;
    fake.misbehave = (socket) => {
      ends++;
      socket.destroy();
    };
    await assert.rejects(addTo(store, 'a'), /^Error: redis: /);
    const sent = fake.commands.get('INCRBY');
    fake.misbehave = null;
    const after = await untilCounted(store, 'a');
    assert.equal(sent, 1);
    assert.equal(after, fake.commands.get('INCRBY'), 'each INCRBY that came was of one call');
    assert.ok(ends >= 1 && stats.reconnects >= 1);
  } finally {
    store.close();
    await fake.close();
  }
});

test('what comes after the deadline is ignored and counted, and mixes with nothing', async () => {
  const fake = await startFakeRedis();
  const { store, stats } = await openRedisStore(fake.port, short);
  try {
    const held: string[] = [];
    let holder: net.Socket | null = null;
    fake.misbehave = (socket, reply) => {
      holder = socket;
      held.push(reply);
    };
    await assert.rejects(addTo(store, 'a', 7), /redis: no answer within 500 ms/);
    assert.deepEqual(held, [':7\r\n', ':1\r\n']);
    fake.misbehave = null;
    holder!.write(held.join(''));
    assert.equal(await addTo(store, 'a'), 8);
    assert.deepEqual([stats.lateAnswers, stats.errors.timeout, stats.breakerOpened], [1, 1, 0]);
  } finally {
    store.close();
    await fake.close();
  }
});
