import { Buffer } from 'node:buffer';
import type { Redis } from 'ioredis';

/** Told when the last reply is there, once, and not in the call that reads it. */
export interface PipeReceiver {
  /** In the order of the commands; an Error for one that failed. Texts are octets. */
  onReplies(replies: readonly unknown[]): void;
}

/** What the client uses of a command. */
type QueuedCommand = Parameters<Redis['sendCommand']>[0];

/** The stream that the client is given for commands whose octets this pipe writes itself. */
const nowhere = { write: () => true } as unknown as NonNullable<Parameters<Redis['sendCommand']>[1]>;

const noArguments: readonly string[] = [];

/**
 * Commands that are written together, as `Redis.pipeline`, and at a fraction of its cost, which was more than a third of a call's: the
 * client makes an object with promises and copies for each command, and on Bun it also describes each to a tracing channel that
 * nobody listens to. Here one object stands in the client's queue as often as there are commands: replies come in their order.
 */
export class RedisPipe {
  /** For the client: a command that is written in one go, whose name has no meaning to it. */
  readonly name: string = 'incrby';
  /** @see name. What the client shows of a command that failed; keys are none of a log's business. */
  readonly args: readonly string[] = noArguments;
  /** For the client: no tracing. */
  readonly isTraced: boolean = true;
  /** For the client, which hands it to nobody. */
  readonly promise: null = null;
  readonly #receiver: PipeReceiver;
  readonly #replies: unknown[] = [];
  #text = '';
  #commands = 0;
  #failed = false;

  constructor(receiver: PipeReceiver) {
    this.#receiver = receiver;
  }

  /** Adds a command. */
  push(name: string, args: readonly (string | number)[]): void {
    let text = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`;
    for (const arg of args) text += bulk(typeof arg === 'string' ? arg : `${arg}`);
    this.#text += text;
    this.#commands++;
  }

  /** Adds INCRBY and EXPIRE of one key: two commands. */
  pushCount(key: string, hits: number, ttlSeconds: number): void {
    const word = bulk(key);
    this.#text += `*3\r\n$6\r\nincrby\r\n${word}${bulk(`${hits}`)}*3\r\n$6\r\nexpire\r\n${word}${bulk(`${ttlSeconds}`)}`;
    this.#commands += 2;
  }

  /** Writes everything. Commands that the client does not take now have failed, all of them. */
  send(client: Redis): void {
    const queued = this as unknown as QueuedCommand;
    for (let i = 0; i < this.#commands; i++) client.sendCommand(queued, nowhere);
    if (!this.#failed) client.stream.write(this.#text);
    this.#text = '';
  }

  /** For the client: which protocol the reply is in; RESP 2, as it was told. */
  setReplyContext(): void {}

  /** For the client: the octets are written by `send`. */
  toWritable(): string {
    return '';
  }

  /** For the client: the reply to the first command that has none yet. */
  resolve(reply: unknown): void {
    this.#replies.push(reply);
    // What goes wrong with an answer is no fault of the connection, which the client would end for it.
    if (this.#replies.length === this.#commands) queueMicrotask(() => this.#receiver.onReplies(this.#replies));
  }

  /** For the client: an error reply, or the connection is gone. */
  reject(error: Error): void {
    this.#failed = true;
    this.resolve(error);
  }
}

/** A text as RESP sends it: its length in octets, and itself. */
function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
