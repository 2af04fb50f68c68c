import type { CounterStore, CounterWaiter } from './counter-store.ts';

/** How many counters of one window length are kept when nothing else is said: some 150 MB when full. */
const defaultMaxCounters: number = 1_000_000;

/** The counters of the current window of one length. */
class Window {
  start = 0;
  counters = new Map<string, number>();
}

/**
 * Counters in this process's memory: exact, and bounded. Windows of one length begin and end together, so when a new one
 * begins all counters of the old one are dropped at once. When a window is full, new keys are refused with an error (which
 * Envoy takes as it is told to by failure_mode_deny) rather than old ones forgotten, so that no limit can be slipped by
 * making up keys.
 */
export class MemoryStore implements CounterStore {
  readonly healthy: boolean = true;
  readonly #maxCounters: number;
  readonly #windows = new Map<number, Window>();

  constructor(maxCounters: number = defaultMaxCounters) {
    this.#maxCounters = maxCounters;
  }

  /** Counters held. */
  get size(): number {
    let size = 0;
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
    let window = this.#windows.get(windowSeconds);
    if (window === undefined) {
      window = new Window();
      this.#windows.set(windowSeconds, window);
    }
    // A clock that was set back must not clear what was counted: the later window goes on.
    if (windowStart > window.start) {
      window.start = windowStart;
      window.counters = new Map();
    }
    const before = window.counters.get(key);
    if (before === undefined && window.counters.size >= this.#maxCounters) {
      waiter.onCounterError(index, `the in-memory store is full: ${this.#maxCounters} counters`);
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

  close(): void {
    this.#windows.clear();
  }
}
