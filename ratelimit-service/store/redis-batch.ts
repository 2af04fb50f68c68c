import type { Cluster, Redis } from 'ioredis';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';
import type { CounterWaiter } from './counter-store.ts';
import { type CounterCommand, CounterSum } from './counter-sum.ts';
import { isServerFault, isWrongServer, type RedisErrorKind, redisErrorKind } from './redis-error.ts';
import { type PipeReceiver, RedisPipe } from './redis-pipe.ts';
import type { RedisStats } from './redis-stats.ts';
import type { Take } from './take.ts';
import { isUnknownScript, TakeBatch } from './take-batch.ts';

/** Who sends batches to one server, as they see it. */
export interface BatchSender {
  readonly stats: RedisStats;
  readonly timers: Timers;
  /** Milliseconds. */
  readonly callTimeoutMs: number;
  /** Sends again, and to the right node, what a node of a cluster did not take; null elsewhere. */
  readonly redirects: Cluster | null;
  /** How long the key of such a window lives, seconds. */
  lifeOf(windowSeconds: number): number;
  /** So many counters are no longer owed by Redis. */
  onReleased(count: number): void;
  /** What the batch says about the server, once; `fault` is null when it works. */
  onVerdict(ticket: number, fault: RedisErrorKind | null): void;
}

/**
 * What one turn's calls ask of one server: one pipeline, one deadline. Nothing is ever sent again unless the server said
 * that it did not do it (MOVED, ASK, TRYAGAIN, NOSCRIPT), so that no hit counts twice. After the deadline everyone is
 * answered with an error; what Redis answers then is only counted.
 */
export class RedisBatch implements TimerTarget, TurnTask, PipeReceiver {
  readonly #sender: BatchSender;
  readonly #ticket: number;
  readonly #adds = new Map<string, CounterSum>();
  /** What is read and what is deleted. */
  #others: Map<string, CounterSum> | null = null;
  /** By slot in a cluster, else one at 0. */
  #takes: Map<number, TakeBatch> | null = null;
  readonly #timer: Timer;
  #client: Redis | null = null;
  /** Answers that Redis owes. */
  #owed = 0;
  #worked = false;
  #fault: RedisErrorKind = 'disconnected';
  #judged = false;

  /** `ticket`: of the circuit breaker. */
  constructor(sender: BatchSender, ticket: number) {
    this.#sender = sender;
    this.#ticket = ticket;
    this.#timer = sender.timers.create(this);
  }

  add(key: string, hits: number, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const sum = this.#adds.get(key);
    if (sum !== undefined) sum.add(hits, waiter, index);
    else {
      const ttlSeconds = this.#sender.lifeOf(windowSeconds);
      this.#adds.set(key, new CounterSum('incrby', key, ttlSeconds, hits, waiter, index));
    }
  }

  /** Reads a counter, or deletes what is there. */
  ask(command: Exclude<CounterCommand, 'incrby'>, key: string, waiter: CounterWaiter, index: number): void {
    this.#others ??= new Map();
    const name = `${command} ${key}`;
    const sum = this.#others.get(name);
    if (sum !== undefined) sum.add(0, waiter, index);
    else this.#others.set(name, new CounterSum(command, key, 0, 0, waiter, index));
  }

  take(slot: number, takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    this.#takes ??= new Map();
    let batch = this.#takes.get(slot);
    if (batch === undefined) {
      batch = new TakeBatch();
      this.#takes.set(slot, batch);
    }
    batch.add(takes, allOrNothing, waiter, ({ limit }) => this.#sender.lifeOf(limit.windowSeconds));
  }

  /** Writes the pipeline and starts the deadline. */
  send(client: Redis): void {
    this.#client = client;
    const pipe = new RedisPipe(this);
    if (this.#takes !== null) for (const takes of this.#takes.values()) pipe.push('evalsha', takes.command());
    if (this.#others !== null) for (const { command, key } of this.#others.values()) pipe.push(command, [key]);
    for (const { key, total, ttlSeconds } of this.#adds.values()) pipe.pushCount(key, total, ttlSeconds);
    this.#owed = this.#adds.size + (this.#others?.size ?? 0) + (this.#takes?.size ?? 0);
    this.#timer.enable(this.#sender.callTimeoutMs);
    pipe.send(client);
  }

  /** Fails everyone without sending. */
  refuse(kind: RedisErrorKind, message: string): void {
    this.#owed = 0;
    const { stats } = this.#sender;
    for (const each of this.#all()) {
      stats.errors[kind] += each.size;
      this.#sender.onReleased(each.size);
      each.fail(message);
    }
    this.#judge(kind);
  }

  /** The deadline; answers that this process has been too busy to read get a chance to be read first. */
  onTimer(): void {
    atTurnEnd(this);
  }

  onTurnEnd(): void {
    if (this.#owed === 0) return;
    const { stats, callTimeoutMs } = this.#sender;
    for (const each of this.#all()) {
      if (each.settled) continue;
      stats.errors.timeout += each.size;
      each.fail(`redis: no answer within ${callTimeoutMs} ms`);
    }
    this.#judge(this.#worked ? null : 'timeout');
  }

  onReplies(replies: readonly unknown[]): void {
    let at = 0;
    if (this.#takes !== null) for (const takes of this.#takes.values()) this.#onTakes(takes, replies[at++], true);
    if (this.#others !== null) for (const sum of this.#others.values()) this.#onSum(sum, replies[at++], true);
    for (const sum of this.#adds.values()) {
      const value = replies[at];
      const expired = replies[at + 1];
      at += 2;
      // EXPIRE answers 0 or 1: with anything else these are not the answers to what was asked.
      const inStep = expired === 1 || expired === 0 || expired instanceof Error || value instanceof Error;
      this.#onSum(sum, inStep ? value : Number.NaN, true);
      // The key moved between the two commands: without a life it would stay for ever.
      if (expired instanceof Error && !(value instanceof Error)) this.#expireElsewhere(sum, expired);
    }
    this.#settleBatch();
  }

  *#all(): Generator<CounterSum | TakeBatch> {
    if (this.#takes !== null) yield* this.#takes.values();
    if (this.#others !== null) yield* this.#others.values();
    yield* this.#adds.values();
  }

  #onSum(sum: CounterSum, reply: unknown, mayRedirect: boolean): void {
    if (reply instanceof Error) {
      const { redirects } = this.#sender;
      if (mayRedirect && redirects !== null && redisErrorKind(reply) === 'moved') this.#redirectSum(sum, redirects);
      else this.#failed(sum, redisErrorKind(reply), reply.message);
      return;
    }
    const total = reply === null && sum.command === 'get' ? 0 : Number(reply ?? Number.NaN);
    if (!Number.isFinite(total)) {
      // INCRBY answers a number or an error: anything else is the answer to something else.
      const kind = sum.command === 'get' ? 'wrongtype' : 'garbage';
      this.#failed(sum, kind, `${sum.key} is no number`);
      return;
    }
    this.#worked = true;
    this.#release(sum);
    if (sum.settled) this.#sender.stats.lateAnswers += sum.size;
    else sum.answer(total);
  }

  #onTakes(takes: TakeBatch, reply: unknown, mayResend: boolean): void {
    if (reply instanceof Error) {
      const { redirects } = this.#sender;
      if (mayResend && isUnknownScript(reply) && this.#client !== null) {
        this.#awaitTakes(takes, takes.runText(this.#client));
      } else if (mayResend && redirects !== null && redisErrorKind(reply) === 'moved') {
        this.#awaitTakes(takes, takes.run(redirects));
      } else this.#failed(takes, redisErrorKind(reply), reply.message);
      return;
    }
    this.#release(takes);
    if (takes.settled) this.#sender.stats.lateAnswers += takes.size;
    else if (!takes.answer(reply)) {
      this.#sender.stats.errors.garbage += takes.size;
      this.#fault = 'garbage';
      return;
    }
    this.#worked = true;
  }

  #failed(each: CounterSum | TakeBatch, kind: RedisErrorKind, message: string): void {
    this.#release(each);
    if (isServerFault(kind)) this.#fault = kind;
    else this.#worked = true;
    if (each.settled) return;
    this.#sender.stats.errors[kind] += each.size;
    each.fail(`redis: ${message}`);
  }

  #release(each: CounterSum | TakeBatch): void {
    this.#owed--;
    this.#sender.onReleased(each.size);
  }

  #redirectSum(sum: CounterSum, cluster: Cluster): void {
    const { command, key, total, ttlSeconds } = sum;
    const counted: Promise<unknown> =
      command === 'incrby' ? cluster.incrby(key, total) : cluster[command as 'get'](key);
    counted.then(
      (value) => {
        if (command === 'incrby') cluster.expire(key, ttlSeconds).catch(() => {});
        this.#onSum(sum, value, false);
        this.#settleBatch();
      },
      (error: Error) => {
        this.#onSum(sum, error, false);
        this.#settleBatch();
      },
    );
  }

  #expireElsewhere({ key, ttlSeconds }: CounterSum, error: Error): void {
    const { redirects } = this.#sender;
    if (redirects !== null && redisErrorKind(error) === 'moved') redirects.expire(key, ttlSeconds).catch(() => {});
  }

  #awaitTakes(takes: TakeBatch, run: Promise<unknown>): void {
    run.then(
      (reply) => {
        this.#onTakes(takes, reply, false);
        this.#settleBatch();
      },
      (error: Error) => {
        this.#onTakes(takes, error, false);
        this.#settleBatch();
      },
    );
  }

  #settleBatch(): void {
    if (this.#owed > 0) return;
    this.#timer.disable();
    // A server that is not the right one, or answers something else, may do some of it: that is no better.
    const wrong = this.#fault === 'garbage' || isWrongServer(this.#fault);
    this.#judge(this.#worked && !wrong ? null : this.#fault);
  }

  #judge(fault: RedisErrorKind | null): void {
    if (this.#judged) return;
    this.#judged = true;
    this.#sender.onVerdict(this.#ticket, fault);
  }
}
