import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command, type Redis } from 'ioredis';
import { RedisPipe } from '#ratelimit/store/redis-pipe.ts';

type Queued = Parameters<Redis['sendCommand']>[0];

/** A client without a connection: what stands in its queue, and what was written. */
class QueueOnly {
  readonly queue: Queued[] = [];
  readonly written: string[] = [];
  readonly ready: boolean;
  readonly stream: { write(text: string): void };

  constructor(ready: boolean) {
    this.ready = ready;
    this.stream = { write: (text) => void this.written.push(text) };
  }

  sendCommand(command: Queued): void {
    if (this.ready) this.queue.push(command);
    else command.reject(new Error('not connected'));
  }

  asClient(): Redis {
    return this as unknown as Redis;
  }
}

function receiver(): { readonly all: (readonly unknown[])[]; onReplies(replies: readonly unknown[]): void } {
  const all: (readonly unknown[])[] = [];
  return { all, onReplies: (replies) => void all.push(replies) };
}

describe('pipe of commands', () => {
  it('writes, at once, the octets that the client would write for each command', () => {
    const keys = ['', 'edge_key_value_1200', 'name with\r\nlines', 'caf\u00e9', '\u20ac_\u{1f600}', 'x'.repeat(3000)];
    const pipe = new RedisPipe(receiver());
    pipe.push('evalsha', ['0123456789abcdef', keys.length, ...keys, 1.5, -3, 2 ** 52]);
    for (const key of keys) pipe.push('get', [key]);
    for (const key of keys) pipe.pushCount(key, key.length * 1_000_000_007, 60);
    const client = new QueueOnly(true);
    pipe.send(client.asClient());
    const expected = [new Command('evalsha', ['0123456789abcdef', keys.length, ...keys, 1.5, -3, 2 ** 52])];
    for (const key of keys) expected.push(new Command('get', [key]));
    for (const key of keys) {
      expected.push(new Command('incrby', [key, key.length * 1_000_000_007]), new Command('expire', [key, 60]));
    }
    assert.equal(client.queue.length, expected.length);
    assert.deepEqual(client.written, [expected.map((command) => command.toWritable({})).join('')]);
  });

  it('hands over all replies when the last is there, and errors in their places', async () => {
    const all = receiver();
    const pipe = new RedisPipe(all);
    pipe.pushCount('a', 1, 60);
    pipe.push('get', ['b']);
    const client = new QueueOnly(true);
    pipe.send(client.asClient());
    const { queue } = client;
    const gone = new Error('gone');
    queue[0]!.resolve(7);
    queue[1]!.reject(gone);
    await null;
    assert.deepEqual(all.all, []);
    queue[2]!.resolve(null);
    assert.deepEqual(all.all, [], 'not in the call of the one who reads');
    await null;
    assert.deepEqual(all.all, [[7, gone, null]]);
  });

  it('writes nothing when the client takes no commands', async () => {
    const all = receiver();
    const pipe = new RedisPipe(all);
    pipe.pushCount('a', 1, 60);
    const client = new QueueOnly(false);
    pipe.send(client.asClient());
    await null;
    assert.deepEqual(client.written, []);
    assert.deepEqual(
      all.all.map((replies) => replies.map((reply) => (reply as Error).message)),
      [['not connected', 'not connected']],
    );
  });
});
