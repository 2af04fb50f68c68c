import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { limitStatNames } from '../limiter/limit-stats.ts';
import type { StatsListener, StatsStore } from '../limiter/stats-store.ts';
import { limitLineName, statLines } from './stat-lines.ts';

/** Where counters are sent. */
export interface StatsSink {
  /** `increase` since the last flush, never 0. */
  counter(name: string, increase: number): void;
  /** All counters of this flush have been given. */
  flush(): void;
  close(): void;
}

/** Sends what has been counted since the last time, every STATS_FLUSH_INTERVAL. */
export class StatsFlusher implements TimerTarget, StatsListener {
  readonly #sink: StatsSink | null;
  readonly #stats: StatsStore;
  readonly #intervalMs: number;
  readonly #timer: Timer;
  #sent = new Map<string, number>();

  /** A null sink drops everything. */
  constructor(sink: StatsSink | null, stats: StatsStore, intervalMs: number, timers: Timers) {
    this.#sink = sink;
    this.#stats = stats;
    this.#intervalMs = intervalMs;
    this.#timer = timers.create(this);
    if (sink !== null) stats.subscribe(this);
  }

  start(): void {
    if (this.#sink !== null) this.#timer.enable(this.#intervalMs);
  }

  onTimer(): void {
    this.flush();
    this.#timer.enable(this.#intervalMs);
  }

  /** What was sent under a name that is gone was sent for the one that has its counts now. */
  onNameFolded(kind: 'limit' | 'domain', from: string, into: string): void {
    if (from === into) return;
    for (const counter of kind === 'limit' ? limitStatNames : ['domain_not_found']) {
      const name = limitLineName(from, counter);
      const sent = this.#sent.get(name);
      if (sent === undefined) continue;
      const to = limitLineName(into, counter);
      this.#sent.delete(name);
      this.#sent.set(to, (this.#sent.get(to) ?? 0) + sent);
    }
  }

  /** Sends now. Counters that are gone are forgotten with it. */
  flush(): void {
    if (this.#sink === null) return;
    const sent = new Map<string, number>();
    for (const { name, value } of statLines(this.#stats)) {
      if (value === 0) continue;
      const before = this.#sent.get(name) ?? 0;
      if (value > before) this.#sink.counter(name, value - before);
      sent.set(name, value);
    }
    this.#sent = sent;
    this.#sink.flush();
  }

  /** Sends the rest and closes the sink. */
  close(): void {
    this.#timer.disable();
    this.flush();
    this.#sink?.close();
  }
}
