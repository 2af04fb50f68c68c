import type { Clock } from '#gateway/runtime/clock.ts';
import { LimitAlgorithm } from '../config/algorithm.ts';
import type { CounterStore, CounterWaiter } from './counter-store.ts';
import { type LimitEntry, LimitTable } from './limit-table.ts';
import { slotsPerWindow, slotUs } from './slot-ring.ts';
import { answerTake, type Take } from './take.ts';

/** How many counters of one window length are kept when nothing else is said: some 150 MB when full. */
const defaultMaxCounters: number = 1_000_000;

/** The counters of the current window of one length. */
class Window {
  start = 0;
  counters = new Map<string, number>();
}

/**
 * Counters in this process's memory: exact, and bounded. Fixed windows of one length begin and end together, so when a new
 * one begins all counters of the old one are dropped at once; the other algorithms have a table that is swept. When either
 * is full, new keys are refused with an error (which Envoy takes as it is told to by failure_mode_deny) rather than old ones
 * forgotten, so that no limit can be slipped by making up keys.
 */
export class MemoryStore implements CounterStore {
  readonly healthy: boolean = true;
  readonly #clock: Clock;
  readonly #maxCounters: number;
  readonly #windows = new Map<number, Window>();
  readonly #table: LimitTable;

  constructor(clock: Clock, maxCounters: number = defaultMaxCounters) {
    this.#clock = clock;
    this.#maxCounters = maxCounters;
    this.#table = new LimitTable(maxCounters);
  }

  /** Counters held. */
  get size(): number {
    let { size } = this.#table;
    for (const window of this.#windows.values()) size += window.counters.size;
    return size;
  }

  add(
    key: string,
    hits: number,
    windowStart: number,
    windowSeconds: number,
    waiter: CounterWaiter,
    index: number,
  ): void {
    const window = this.#window(windowStart, windowSeconds);
    const before = window.counters.get(key);
    if (before === undefined && window.counters.size >= this.#maxCounters) {
      waiter.onCounterError(index, this.#full());
      return;
    }
    const after = (before ?? 0) + hits;
    if (hits !== 0) window.counters.set(key, after);
    waiter.onCounter(index, after);
  }

  read(key: string, windowStart: number, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const window = this.#windows.get(windowSeconds);
    const current = window !== undefined && windowStart <= window.start ? window.counters.get(key) : undefined;
    waiter.onCounter(index, current ?? 0);
  }

  remove(key: string, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const counted = this.#windows.get(windowSeconds)?.counters.delete(key) === true;
    const taken = this.#table.remove(key);
    waiter.onCounter(index, counted || taken ? 1 : 0);
  }

  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    const nowUs = Math.floor(this.#clock.wallMs() * 1000);
    const taken = takes.map((take) => this.#takeOne(take, take.hits, nowUs));
    const rejected = allOrNothing && takes.some(({ limit }, i) => limit.enforced && taken[i] !== Took.All);
    if (rejected) {
      takes.forEach((take, i) => {
        if (taken[i] === Took.All && take.hits > 0) this.#takeOne(take, -take.hits, nowUs);
      });
    }
    takes.forEach((take, i) => {
      if (taken[i] === Took.Full) waiter.onCounterError(take.index, this.#full());
      else this.#answer(take, taken[i] === Took.Nothing, nowUs, waiter);
    });
  }

  close(): void {
    this.#windows.clear();
    this.#table.clear();
  }

  #window(start: number, seconds: number): Window {
    let window = this.#windows.get(seconds);
    if (window === undefined) {
      window = new Window();
      this.#windows.set(seconds, window);
    }
    // A clock that was set back must not clear what was counted: the later window goes on.
    if (start > window.start) {
      window.start = start;
      window.counters = new Map();
    }
    return window;
  }

  #takeOne(take: Take, hits: number, nowUs: number): Took {
    const { limit, key } = take;
    if (limit.algorithm === LimitAlgorithm.FixedWindow) return this.#takeFixed(take, hits);
    const bucket = limit.rate !== null;
    const entry = this.#table.get(key);
    if (entry !== undefined) return takeFrom(entry, take, hits, nowUs);
    // What is not there is empty: no entry is made for what does not count.
    if (hits > limit.capacity) return Took.Nothing;
    if (hits <= 0) return Took.All;
    const added = this.#table.add(key, bucket ? 'level' : 'ring', nowUs);
    return added === null ? Took.Full : takeFrom(added, take, hits, nowUs);
  }

  #takeFixed({ limit, key, windowStart }: Take, hits: number): Took {
    const { counters } = this.#window(windowStart, limit.windowSeconds);
    const before = counters.get(key);
    if (hits >= 0 && (before ?? 0) + hits > limit.limit) return Took.Nothing;
    if (before === undefined && hits <= 0) return Took.All;
    if (before === undefined && counters.size >= this.#maxCounters) return Took.Full;
    counters.set(key, Math.max(0, (before ?? 0) + hits));
    return Took.All;
  }

  #answer(take: Take, over: boolean, nowUs: number, waiter: CounterWaiter): void {
    const { limit, key } = take;
    if (limit.algorithm === LimitAlgorithm.FixedWindow) {
      const current = this.#windows.get(limit.windowSeconds)?.counters.get(key) ?? 0;
      const resetUs = (take.windowStart + limit.windowSeconds) * 1_000_000 - nowUs;
      answerTake(take, over, Math.max(0, limit.limit - current), resetUs, waiter);
      return;
    }
    const entry = this.#table.get(key);
    const wanted = over ? take.hits : 0;
    if (entry === undefined) answerTake(take, over, limit.capacity, 0, waiter);
    else if (limit.rate !== null) {
      const level = entry.level!;
      answerTake(take, over, level.remaining(limit.rate), level.resetUs(limit.rate, wanted), waiter);
    } else {
      const ring = entry.ring!;
      const resetUs = ring.resetUs(limit.limit, slotUs(limit.windowSeconds), nowUs, wanted);
      answerTake(take, over, ring.remaining(limit.limit), resetUs, waiter);
    }
  }

  #full(): string {
    return `the in-memory store is full: ${this.#maxCounters} counters`;
  }
}

/** What became of one take. */
const Took = { All: 0, Nothing: 1, Full: 2 } as const;
type Took = (typeof Took)[keyof typeof Took];

function takeFrom(entry: LimitEntry, { limit }: Take, hits: number, nowUs: number): Took {
  if (limit.rate !== null) {
    const level = entry.level!;
    level.advance(limit.rate, nowUs);
    const took = level.take(limit.rate, hits);
    entry.expiresUs = level.empty ? nowUs : nowUs + level.resetUs(limit.rate, 0);
    return took ? Took.All : Took.Nothing;
  }
  const ring = entry.ring!;
  const lengthUs = slotUs(limit.windowSeconds);
  ring.advance(lengthUs, nowUs);
  const took = ring.take(limit.limit, hits);
  entry.expiresUs = ring.empty ? nowUs : nowUs + lengthUs * (slotsPerWindow + 1);
  return took ? Took.All : Took.Nothing;
}
