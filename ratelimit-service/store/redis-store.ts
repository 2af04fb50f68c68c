import type { ChainableCommander, Cluster, Redis } from 'ioredis';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';
import type { CounterStore, CounterWaiter } from './counter-store.ts';
import { hashSlot } from './hash-slot.ts';
import { type TakePart, takeInParts } from './reserved-take.ts';
import type { Take } from './take.ts';
import { TakeBatch } from './take-batch.ts';

/** How the Redis store behaves. */
export interface RedisStoreOptions {
  /** Upper bound of the random seconds added to a key's life; 0 for none. EXPIRATION_JITTER_MAX_SECONDS */
  readonly jitterMaxSeconds: number;
  /** A batch without an answer fails after this long, milliseconds. REDIS_TIMEOUT */
  readonly timeoutMs: number;
  readonly random: Random;
  readonly timers: Timers;
}

/** The counter of one key in one batch, with everyone who added to it. */
class BatchEntry {
  readonly ttlSeconds: number;
  total = 0;
  readonly waiters: CounterWaiter[] = [];
  readonly indices: number[] = [];
  /** Sum of the hits up to and with each waiter's. */
  readonly sums: number[] = [];

  constructor(ttlSeconds: number) {
    this.ttlSeconds = ttlSeconds;
  }

  add(hits: number, waiter: CounterWaiter, index: number): void {
    this.total += hits;
    this.waiters.push(waiter);
    this.indices.push(index);
    this.sums.push(this.total);
  }

  answer(total: number): void {
    const before = total - this.total;
    for (let i = 0; i < this.waiters.length; i++) this.waiters[i]!.onCounter(this.indices[i]!, before + this.sums[i]!);
  }

  fail(message: string): void {
    for (let i = 0; i < this.waiters.length; i++) this.waiters[i]!.onCounterError(this.indices[i]!, message);
  }
}

/** What was sent to Redis together. Its answers come in order, one after the other; a time-out answers all that wait. */
class Batch implements TimerTarget {
  readonly #entries: BatchEntry[];
  readonly #timer: Timer;
  readonly #timeoutMs: number;
  #settled = false;

  constructor(entries: BatchEntry[], options: RedisStoreOptions) {
    this.#entries = entries;
    this.#timeoutMs = options.timeoutMs;
    this.#timer = options.timers.create(this);
    this.#timer.enable(options.timeoutMs);
  }

  onTimer(): void {
    this.fail(`redis: no answer within ${this.#timeoutMs} ms`);
  }

  fail(message: string): void {
    if (!this.#begin()) return;
    for (const entry of this.#entries) entry.fail(message);
  }

  /** `replies` holds the answers as ioredis gives them, `stride` for each key, of which the first counts. */
  answer(replies: readonly [error: Error | null, value: unknown][], stride: number): void {
    if (!this.#begin()) return;
    for (let i = 0; i < this.#entries.length; i++) {
      const [error, value] = replies[stride * i]!;
      if (error === null) this.#entries[i]!.answer(Number(value ?? 0));
      else this.#entries[i]!.fail(error.message);
    }
  }

  #begin(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#timer.disable();
    return true;
  }
}

/** What is sent for one key. */
interface Commands {
  /** Answers that each key gets; the first one is the counter. */
  readonly stride: number;
  queue(pipeline: ChainableCommander, key: string, entry: BatchEntry): void;
  send(redis: Redis | Cluster, key: string, entry: BatchEntry): Promise<unknown>[];
}

const addCommands: Commands = {
  stride: 2,
  queue: (pipeline, key, entry) => {
    pipeline.incrby(key, entry.total);
    pipeline.expire(key, entry.ttlSeconds);
  },
  send: (redis, key, entry) => [redis.incrby(key, entry.total), redis.expire(key, entry.ttlSeconds)],
};

const readCommands: Commands = {
  stride: 1,
  queue: (pipeline, key) => {
    pipeline.get(key);
  },
  send: (redis, key) => [redis.get(key)],
};

const removeCommands: Commands = {
  stride: 1,
  queue: (pipeline, key) => {
    pipeline.del(key);
  },
  send: (redis, key) => [redis.del(key)],
};

/** Fails a batch of takes that has no answer in time. */
class TakeDeadline implements TimerTarget {
  readonly #batch: TakeBatch;
  readonly #timer: Timer;
  readonly #timeoutMs: number;

  constructor(batch: TakeBatch, { timers, timeoutMs }: RedisStoreOptions) {
    this.#batch = batch;
    this.#timeoutMs = timeoutMs;
    this.#timer = timers.create(this);
    this.#timer.enable(timeoutMs);
  }

  onTimer(): void {
    this.#batch.fail(`redis: no answer within ${this.#timeoutMs} ms`);
  }

  disable(): void {
    this.#timer.disable();
  }
}

/**
 * Counters in Redis. All calls of one event-loop turn go in one pipeline, `INCRBY key hits` and `EXPIRE key seconds` for
 * each key; calls that add to the same key share one INCRBY, and each gets the number it would have got by itself. What they
 * take from other limits than plain fixed windows goes in one call of a script, in a cluster one for each slot.
 */
export class RedisStore implements CounterStore, TurnTask {
  readonly #redis: Redis | Cluster;
  readonly #options: RedisStoreOptions;
  #entries = new Map<string, BatchEntry>();
  #reads = new Map<string, BatchEntry>();
  /** By slot in a cluster, else one at 0. */
  #takes = new Map<number, TakeBatch>();
  readonly #ttlSeconds = ({ limit }: Take): number => this.#life(limit.windowSeconds);
  #closed = false;

  constructor(redis: Redis | Cluster, options: RedisStoreOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  get healthy(): boolean {
    return this.#redis.status === 'ready';
  }

  add(
    key: string,
    hits: number,
    _windowStart: number,
    windowSeconds: number,
    waiter: CounterWaiter,
    index: number,
  ): void {
    if (this.#refuses(waiter, index)) return;
    this.#schedule();
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = new BatchEntry(this.#life(windowSeconds));
      this.#entries.set(key, entry);
    }
    entry.add(hits, waiter, index);
  }

  read(key: string, _windowStart: number, _windowSeconds: number, waiter: CounterWaiter, index: number): void {
    if (this.#refuses(waiter, index)) return;
    this.#schedule();
    let entry = this.#reads.get(key);
    if (entry === undefined) {
      entry = new BatchEntry(0);
      this.#reads.set(key, entry);
    }
    entry.add(0, waiter, index);
  }

  remove(key: string, _windowSeconds: number, waiter: CounterWaiter, index: number): void {
    if (this.#refuses(waiter, index)) return;
    const entry = new BatchEntry(0);
    entry.add(0, waiter, index);
    this.#send(new Map([[key, entry]]), removeCommands);
  }

  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    if (this.#closed) {
      for (const { index } of takes) this.#refuses(waiter, index);
      return;
    }
    if (!this.#redis.isCluster) this.#takeFrom(0, takes, allOrNothing, waiter);
    else takeInParts(this.#partsBySlot(takes), allOrNothing, waiter);
  }

  onTurnEnd(): void {
    const entries = this.#entries;
    const reads = this.#reads;
    const takes = this.#takes;
    this.#entries = new Map();
    this.#reads = new Map();
    if (takes.size > 0) {
      this.#takes = new Map();
      for (const batch of takes.values()) {
        const deadline = new TakeDeadline(batch, this.#options);
        void batch.send(this.#redis as Redis).finally(() => deadline.disable());
      }
    }
    if (reads.size > 0) this.#send(reads, readCommands);
    if (entries.size > 0) this.#send(entries, addCommands);
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  #refuses(waiter: CounterWaiter, index: number): boolean {
    if (this.#closed) waiter.onCounterError(index, 'redis: the store is closed');
    return this.#closed;
  }

  #schedule(): void {
    if (this.#entries.size === 0 && this.#reads.size === 0 && this.#takes.size === 0) atTurnEnd(this);
  }

  #life(windowSeconds: number): number {
    const { jitterMaxSeconds, random } = this.#options;
    return windowSeconds + (jitterMaxSeconds > 0 ? Math.floor(random.next() * jitterMaxSeconds) : 0);
  }

  #takeFrom(slot: number, takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    this.#schedule();
    let batch = this.#takes.get(slot);
    if (batch === undefined) {
      batch = new TakeBatch();
      this.#takes.set(slot, batch);
    }
    batch.add(takes, allOrNothing, waiter, this.#ttlSeconds);
  }

  /** A script may touch keys of one slot only. */
  #partsBySlot(takes: readonly Take[]): TakePart[] {
    const bySlot = new Map<number, Take[]>();
    for (const take of takes) {
      const slot = hashSlot(take.key);
      const part = bySlot.get(slot);
      if (part === undefined) bySlot.set(slot, [take]);
      else part.push(take);
    }
    return [...bySlot].map(([slot, part]) => ({
      takes: part,
      store: { take: (own, allOrNothing, waiter) => this.#takeFrom(slot, own, allOrNothing, waiter) },
    }));
  }

  #send(entries: ReadonlyMap<string, BatchEntry>, commands: Commands): void {
    const batch = new Batch([...entries.values()], this.#options);
    if (this.#redis.isCluster) this.#sendOneByOne(entries, commands, batch);
    else this.#sendPipeline(entries, commands, batch);
  }

  #sendPipeline(entries: ReadonlyMap<string, BatchEntry>, commands: Commands, batch: Batch): void {
    const pipeline = this.#redis.pipeline();
    for (const [key, entry] of entries) commands.queue(pipeline, key, entry);
    pipeline.exec((error, replies) => {
      if (error != null || replies == null) batch.fail(`redis: ${error?.message ?? 'no connection'}`);
      else batch.answer(replies, commands.stride);
    });
  }

  /** Keys of a cluster live on several nodes; the client's automatic pipelining gathers what goes to the same one. */
  #sendOneByOne(entries: ReadonlyMap<string, BatchEntry>, commands: Commands, batch: Batch): void {
    const replies: [Error | null, unknown][] = [];
    let waiting = commands.stride * entries.size;
    const settle = (at: number, error: Error | null, value: unknown): void => {
      replies[at] = [error, value];
      if (--waiting === 0) batch.answer(replies, commands.stride);
    };
    let at = 0;
    for (const [key, entry] of entries) {
      for (const answer of commands.send(this.#redis, key, entry)) {
        const place = at++;
        answer.then(
          (value) => settle(place, null, value),
          (error: Error) => settle(place, error, null),
        );
      }
    }
  }
}
