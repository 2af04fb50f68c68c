import type { Clock } from '#gateway/runtime/clock.ts';
import { LimitAlgorithm } from '../config/algorithm.ts';
import { BucketLevel } from './bucket-level.ts';
import type { CounterStore, CounterWaiter } from './counter-store.ts';
import { KeyTable } from './key-table.ts';
import { SlotRing, slotsPerWindow, slotUs } from './slot-ring.ts';
import { answerTake, type Take } from './take.ts';

/** How many counters are kept when nothing else is said: some 80 MB of fixed windows, 120 MB of buckets, 300 MB of rings. */
const defaultMaxCounters: number = 1_000_000;

/**
 * When it is full, what has expired is looked for as often as this, milliseconds, among so many counters: a flood of keys must not
 * pay for each, and no call for all.
 */
const makeRoomEveryMs = 50;
const sweptForRoom = 50_000;

/** The counters of the current window of one length: one number an entry. */
class Window {
  start = 0;
  readonly seconds: number;
  readonly counters: KeyTable;

  constructor(seconds: number, seed: number) {
    this.seconds = seconds;
    this.counters = new KeyTable(1, seed);
  }
}

/**
 * Counters in this process's memory: exact, and bounded. Fixed windows of one length begin and end together, so when a new
 * one begins all counters of the old one are dropped at once; the other algorithms have tables whose first number says when an
 * entry is as good as none, and that are swept as entries are added. When as many counters are held as may be, those that have
 * ended are dropped; when that does not help, new keys are refused with an error (which Envoy takes as it is told to by
 * failure_mode_deny) rather than old ones forgotten, so that no limit can be slipped by making up keys.
 */
export class MemoryStore implements CounterStore {
  readonly healthy: boolean = true;
  readonly #clock: Clock;
  readonly #maxCounters: number;
  readonly #seed: number;
  /** By length. */
  readonly #windows = new Map<number, Window>();
  readonly #levels: KeyTable;
  readonly #rings: KeyTable;
  readonly #level = new BucketLevel();
  readonly #ring = new SlotRing();
  /** On the clock that is never set. */
  #nextRoomMs = Number.NEGATIVE_INFINITY;

  /** `seed`: 32 bits that clients cannot know, so that they cannot choose keys that are hard to tell apart. */
  constructor(clock: Clock, maxCounters: number = defaultMaxCounters, seed = 0) {
    this.#clock = clock;
    this.#maxCounters = maxCounters;
    this.#seed = seed;
    this.#levels = new KeyTable(1 + BucketLevel.width, seed);
    this.#rings = new KeyTable(1 + SlotRing.width, seed);
  }

  /** Counters held, ended ones that nobody has met yet included. */
  get size(): number {
    let size = this.#levels.size + this.#rings.size;
    for (const { counters } of this.#windows.values()) size += counters.size;
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
    const { counters } = this.#window(windowStart, windowSeconds);
    let entry = counters.find(key);
    if (entry === 0) {
      if (hits === 0) {
        waiter.onCounter(index, 0);
        return;
      }
      if (!this.#hasRoom()) {
        waiter.onCounterError(index, this.#full());
        return;
      }
      entry = counters.add(key);
    }
    const numbers = counters.numbers(entry);
    const at = counters.offset(entry);
    numbers[at]! += hits;
    waiter.onCounter(index, numbers[at]!);
  }

  read(key: string, windowStart: number, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const window = this.#windows.get(windowSeconds);
    const current = window !== undefined && windowStart <= window.start ? counted(window.counters, key) : 0;
    waiter.onCounter(index, current);
  }

  remove(key: string, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    let removed = false;
    for (const table of [this.#windows.get(windowSeconds)?.counters, this.#levels, this.#rings]) {
      if (table !== undefined) removed = removeFrom(table, key) || removed;
    }
    waiter.onCounter(index, removed ? 1 : 0);
  }

  /** Deletes all that is held at `key`, of whatever algorithm and window. False when there was nothing. */
  forget(key: string): boolean {
    let removed = false;
    for (const { counters } of this.#windows.values()) removed = removeFrom(counters, key) || removed;
    for (const table of [this.#levels, this.#rings]) removed = removeFrom(table, key) || removed;
    return removed;
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
    this.#levels.clear();
    this.#rings.clear();
  }

  #window(start: number, seconds: number): Window {
    let window = this.#windows.get(seconds);
    if (window === undefined) {
      window = new Window(seconds, this.#seed);
      this.#windows.set(seconds, window);
    }
    // A clock that was set back a little must not clear what was counted: the later window goes on. One that was far ahead for a
    // moment must not keep what comes from being cleared until it is there again.
    if (start > window.start || window.start - start > seconds) {
      window.start = start;
      window.counters.clear();
    }
    return window;
  }

  #takeOne(take: Take, hits: number, nowUs: number): Took {
    const { limit, key } = take;
    if (limit.algorithm === LimitAlgorithm.FixedWindow) return this.#takeFixed(take, hits);
    const table = limit.rate === null ? this.#rings : this.#levels;
    let entry = table.find(key);
    if (entry === 0) {
      // What is not there is empty: no entry is made for what does not count.
      if (hits > limit.capacity) return Took.Nothing;
      if (hits <= 0) return Took.All;
      table.sweep(nowUs);
      if (!this.#hasRoom()) return Took.Full;
      entry = table.add(key);
    }
    return limit.rate === null ? this.#takeRing(take, entry, hits, nowUs) : this.#takeLevel(take, entry, hits, nowUs);
  }

  #takeLevel({ limit }: Take, entry: number, hits: number, nowUs: number): Took {
    const level = this.#level;
    const rate = limit.rate!;
    const numbers = this.#levels.numbers(entry);
    const at = this.#levels.offset(entry);
    level.load(numbers, at + 1);
    level.advance(rate, nowUs);
    const took = level.take(rate, hits);
    level.save(numbers, at + 1);
    numbers[at] = level.empty ? nowUs : nowUs + level.resetUs(rate, 0);
    return took ? Took.All : Took.Nothing;
  }

  #takeRing({ limit }: Take, entry: number, hits: number, nowUs: number): Took {
    const ring = this.#ring;
    const numbers = this.#rings.numbers(entry);
    const at = this.#rings.offset(entry);
    const lengthUs = slotUs(limit.windowSeconds);
    ring.load(numbers, at + 1);
    ring.advance(lengthUs, nowUs);
    const took = ring.take(limit.limit, hits);
    ring.save(numbers, at + 1);
    numbers[at] = ring.empty ? nowUs : nowUs + lengthUs * (slotsPerWindow + 1);
    return took ? Took.All : Took.Nothing;
  }

  #takeFixed({ limit, key, windowStart }: Take, hits: number): Took {
    const { counters } = this.#window(windowStart, limit.windowSeconds);
    let entry = counters.find(key);
    const before = entry === 0 ? 0 : counters.numbers(entry)[counters.offset(entry)]!;
    if (hits >= 0 && before + hits > limit.limit) return Took.Nothing;
    if (entry === 0) {
      if (hits <= 0) return Took.All;
      if (!this.#hasRoom()) return Took.Full;
      entry = counters.add(key);
    }
    counters.numbers(entry)[counters.offset(entry)] = Math.max(0, before + hits);
    return Took.All;
  }

  #answer(take: Take, over: boolean, nowUs: number, waiter: CounterWaiter): void {
    const { limit, key } = take;
    if (limit.algorithm === LimitAlgorithm.FixedWindow) {
      const window = this.#windows.get(limit.windowSeconds);
      const current = window === undefined ? 0 : counted(window.counters, key);
      const resetUs = (take.windowStart + limit.windowSeconds) * 1_000_000 - nowUs;
      answerTake(take, over, Math.max(0, limit.limit - current), resetUs, waiter);
      return;
    }
    const table = limit.rate === null ? this.#rings : this.#levels;
    const entry = table.find(key);
    const wanted = over ? take.hits : 0;
    if (entry === 0) answerTake(take, over, limit.capacity, 0, waiter);
    else if (limit.rate !== null) {
      this.#level.load(table.numbers(entry), table.offset(entry) + 1);
      answerTake(take, over, this.#level.remaining(limit.rate), this.#level.resetUs(limit.rate, wanted), waiter);
    } else {
      this.#ring.load(table.numbers(entry), table.offset(entry) + 1);
      const resetUs = this.#ring.resetUs(limit.limit, slotUs(limit.windowSeconds), nowUs, wanted);
      answerTake(take, over, this.#ring.remaining(limit.limit), resetUs, waiter);
    }
  }

  /** Whether another counter may be held; drops what has ended when it comes to that. */
  #hasRoom(): boolean {
    if (this.size < this.#maxCounters) return true;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextRoomMs) return false;
    this.#nextRoomMs = nowMs + makeRoomEveryMs;
    const nowUs = Math.floor(this.#clock.wallMs() * 1000);
    for (const { start, seconds, counters } of this.#windows.values()) {
      if ((start + seconds) * 1_000_000 <= nowUs) counters.clear();
    }
    this.#levels.sweep(nowUs, sweptForRoom);
    this.#rings.sweep(nowUs, sweptForRoom);
    return this.size < this.#maxCounters;
  }

  #full(): string {
    return `the in-memory store is full: ${this.#maxCounters} counters`;
  }
}

/** What became of one take. */
const Took = { All: 0, Nothing: 1, Full: 2 } as const;
type Took = (typeof Took)[keyof typeof Took];

function removeFrom(table: KeyTable, key: string): boolean {
  const entry = table.find(key);
  if (entry !== 0) table.remove(entry);
  return entry !== 0;
}

function counted(counters: KeyTable, key: string): number {
  const entry = counters.find(key);
  return entry === 0 ? 0 : counters.numbers(entry)[counters.offset(entry)]!;
}
