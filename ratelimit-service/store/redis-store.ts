import type { Cluster, Redis } from 'ioredis';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';
import type { CounterStore, CounterWaiter } from './counter-store.ts';

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

  /** `replies` holds INCRBY's and EXPIRE's answer for each key, as ioredis gives them. */
  answer(replies: readonly [error: Error | null, value: unknown][]): void {
    if (!this.#begin()) return;
    for (let i = 0; i < this.#entries.length; i++) {
      const [error, value] = replies[2 * i]!;
      if (error === null) this.#entries[i]!.answer(Number(value));
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

/**
 * Counters in Redis. All calls of one event-loop turn go in one pipeline, `INCRBY key hits` and `EXPIRE key seconds` for
 * each key; calls that add to the same key share one INCRBY, and each gets the number it would have got by itself.
 */
export class RedisStore implements CounterStore, TurnTask {
  readonly #redis: Redis | Cluster;
  readonly #options: RedisStoreOptions;
  #entries = new Map<string, BatchEntry>();
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
    if (this.#closed) {
      waiter.onCounterError(index, 'redis: the store is closed');
      return;
    }
    if (this.#entries.size === 0) atTurnEnd(this);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const { jitterMaxSeconds, random } = this.#options;
      const jitter = jitterMaxSeconds > 0 ? Math.floor(random.next() * jitterMaxSeconds) : 0;
      entry = new BatchEntry(windowSeconds + jitter);
      this.#entries.set(key, entry);
    }
    entry.total += hits;
    entry.waiters.push(waiter);
    entry.indices.push(index);
    entry.sums.push(entry.total);
  }

  onTurnEnd(): void {
    const entries = this.#entries;
    this.#entries = new Map();
    const batch = new Batch([...entries.values()], this.#options);
    if (this.#redis.isCluster) this.#sendOneByOne(entries, batch);
    else this.#sendPipeline(entries, batch);
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  #sendPipeline(entries: ReadonlyMap<string, BatchEntry>, batch: Batch): void {
    const pipeline = this.#redis.pipeline();
    for (const [key, entry] of entries) {
      pipeline.incrby(key, entry.total);
      pipeline.expire(key, entry.ttlSeconds);
    }
    pipeline.exec((error, replies) => {
      if (error != null || replies == null) batch.fail(`redis: ${error?.message ?? 'no connection'}`);
      else batch.answer(replies);
    });
  }

  /** Keys of a cluster live on several nodes; the client's automatic pipelining gathers what goes to the same one. */
  #sendOneByOne(entries: ReadonlyMap<string, BatchEntry>, batch: Batch): void {
    const replies: [Error | null, unknown][] = [];
    let waiting = 2 * entries.size;
    const settle = (at: number, error: Error | null, value: unknown): void => {
      replies[at] = [error, value];
      if (--waiting === 0) batch.answer(replies);
    };
    let at = 0;
    for (const [key, entry] of entries) {
      const incrby = at++;
      const expire = at++;
      this.#redis.incrby(key, entry.total).then(
        (value) => settle(incrby, null, value),
        (error: Error) => settle(incrby, error, null),
      );
      this.#redis.expire(key, entry.ttlSeconds).then(
        (value) => settle(expire, null, value),
        (error: Error) => settle(expire, error, null),
      );
    }
  }
}
