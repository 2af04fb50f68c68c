import type { Cluster } from 'ioredis';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';
import { type BreakerOptions, BreakerState, CircuitBreaker, refusedTicket } from './circuit-breaker.ts';
import type { CounterWaiter } from './counter-store.ts';
import { keyLifeSeconds } from './key-life.ts';
import { type BatchSender, RedisBatch } from './redis-batch.ts';
import { isWrongServer, type RedisErrorKind } from './redis-error.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisStats } from './redis-stats.ts';
import type { Take } from './take.ts';

/** How counters are asked for. */
export interface RedisNodeOptions {
  /** Upper bound of the random seconds added to a key's life; 0 for none. EXPIRATION_JITTER_MAX_SECONDS */
  readonly jitterMaxSeconds: number;
  /** A batch without an answer fails after this long, milliseconds. REDIS_CALL_TIMEOUT */
  readonly callTimeoutMs: number;
  /** Counters that Redis may owe at once; more are failed at once. REDIS_MAX_IN_FLIGHT */
  readonly maxInFlight: number;
  readonly breaker: BreakerOptions;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly stats: RedisStats;
  readonly log: Logger;
  /** Which Redis it is, for the log. */
  readonly name: string;
}

/** So many batches without an answer, one after the other, and the connection is not trusted any more. */
const maxSilentBatches = 5;

/** Counters that Redis owes, whether somebody waits for them or not. Shared by the nodes of a cluster. */
export class InFlight {
  count = 0;
}

/** One server: gathers what a turn asks of it, and decides whether it is asked at all. */
export class RedisNode implements TurnTask, BatchSender {
  readonly stats: RedisStats;
  readonly timers: Timers;
  readonly callTimeoutMs: number;
  readonly #link: RedisLink;
  readonly #maxInFlight: number;
  readonly #inFlight: InFlight;
  readonly #breaker: CircuitBreaker;
  readonly #jitterMaxSeconds: number;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #name: string;
  #open: RedisBatch | null = null;
  #refusal = '';
  #silentBatches = 0;

  constructor(link: RedisLink, options: RedisNodeOptions, inFlight: InFlight) {
    this.stats = options.stats;
    this.timers = options.timers;
    this.callTimeoutMs = options.callTimeoutMs;
    this.#link = link;
    this.#maxInFlight = options.maxInFlight;
    this.#jitterMaxSeconds = options.jitterMaxSeconds;
    this.#random = options.random;
    this.#log = options.log;
    this.#name = options.name;
    this.#inFlight = inFlight;
    this.#breaker = new CircuitBreaker(options.breaker, options.clock, options.random);
  }

  get redirects(): Cluster | null {
    return this.#link.redirects;
  }

  /** Whether what comes now would be sent. */
  get usable(): boolean {
    return this.#link.client !== null && !this.#breaker.refusing;
  }

  /** Whether nothing would be lost with it: nothing is gathered, and the circuit has nothing to remember. */
  get idle(): boolean {
    return this.#open === null && this.#breaker.state === BreakerState.Closed;
  }

  add(key: string, hits: number, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const batch = this.#batchFor(1);
    if (batch !== null) batch.add(key, hits, windowSeconds, waiter, index);
    else waiter.onCounterError(index, this.#refusal);
  }

  /** Reads a counter, or deletes what is there. */
  ask(command: 'get' | 'del', key: string, waiter: CounterWaiter, index: number): void {
    const batch = this.#batchFor(1);
    if (batch !== null) batch.ask(command, key, waiter, index);
    else waiter.onCounterError(index, this.#refusal);
  }

  /** `slot`: of all the keys, in a cluster. */
  take(slot: number, takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    const batch = this.#batchFor(takes.length);
    if (batch !== null) batch.take(slot, takes, allOrNothing, waiter);
    else for (const { index } of takes) waiter.onCounterError(index, this.#refusal);
  }

  onTurnEnd(): void {
    const batch = this.#open!;
    this.#open = null;
    const { client } = this.#link;
    if (client === null) batch.refuse('disconnected', this.#link.problem);
    else batch.send(client);
  }

  lifeOf(windowSeconds: number): number {
    return keyLifeSeconds(windowSeconds, this.#jitterMaxSeconds, this.#random);
  }

  onReleased(count: number): void {
    this.#inFlight.count -= count;
  }

  onVerdict(ticket: number, fault: RedisErrorKind | null): void {
    this.#silentBatches = fault === 'timeout' ? this.#silentBatches + 1 : 0;
    if (fault === null) {
      this.#link.onWorking();
      if (this.#breaker.onSuccess(ticket)) {
        this.stats.breakerClosed++;
        this.#log.warning(`redis ${this.#name} answers again: its circuit is closed`);
      }
      return;
    }
    const wasClosed = this.#breaker.state === BreakerState.Closed;
    const opened = this.#breaker.onFailure(ticket);
    if (opened && wasClosed) {
      this.stats.breakerOpened++;
      this.#log.warning(`redis ${this.#name} is not asked for a while: its circuit is open (${fault})`);
    }
    // A server that has gone silent may have been replaced without a word: the connection would never tell.
    const silent = fault === 'timeout' && (opened || this.#silentBatches >= maxSilentBatches);
    if (silent) this.#silentBatches = 0;
    if (silent || fault === 'garbage' || isWrongServer(fault)) this.#link.renew();
  }

  /** This turn's batch with room for `count` more; null: it is not asked, and `#refusal` says why. */
  #batchFor(count: number): RedisBatch | null {
    if (this.#inFlight.count + count > this.#maxInFlight) {
      return this.#refuse('overflow', count, `redis: not asked, ${this.#maxInFlight} counters are waiting for it`);
    }
    if (this.#open === null) {
      if (this.#link.client === null) return this.#refuse('disconnected', count, this.#link.problem);
      const ticket = this.#breaker.admit();
      if (ticket === refusedTicket) {
        return this.#refuse('breaker_open', count, 'redis: not asked, its circuit is open');
      }
      this.#open = new RedisBatch(this, ticket);
      atTurnEnd(this);
    }
    this.#inFlight.count += count;
    return this.#open;
  }

  #refuse(kind: RedisErrorKind, count: number, message: string): null {
    this.stats.errors[kind] += count;
    this.#refusal = message;
    return null;
  }
}
