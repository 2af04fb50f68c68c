import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { limitStatNames } from '../limiter/limit-stats.ts';
import type { StatsListener, StatsStore } from '../limiter/stats-store.ts';
import { placeMs } from '../stats/response-times.ts';
import type { StatsSink } from '../stats/stats-sink.ts';
import { gaugeLines, limitLineName, statLines, timerLines } from './stat-lines.ts';

/** Sends what has been counted since the last time, every STATS_FLUSH_INTERVAL. */
export class StatsFlusher implements TimerTarget, StatsListener {
  readonly #sink: StatsSink | null;
  readonly #stats: StatsStore;
  readonly #intervalMs: number;
  readonly #timer: Timer;
  #sent = new Map<string, number>();
  /** Calls by length of time that were sent, by name. */
  readonly #sentTimes = new Map<string, Float64Array>();

  /** A null sink drops everything. */
  constructor(sink: StatsSink | null, stats: StatsStore, intervalMs: number, timers: Timers) {
    this.#sink = sink;
    this.#stats = stats;
    this.#intervalMs = intervalMs;
    this.#timer = timers.create(this);
    if (sink === null) return;
    stats.subscribe(this);
    stats.sources.push(sink);
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
    for (const { name, value } of gaugeLines(this.#stats)) this.#sink.gauge(name, value);
    this.#flushTimes(this.#sink);
    this.#sink.flush();
  }

  #flushTimes(sink: StatsSink): void {
    for (const { name, times } of timerLines(this.#stats)) {
      let sent = this.#sentTimes.get(name);
      if (sent === undefined) {
        sent = new Float64Array(times.counts.length);
        this.#sentTimes.set(name, sent);
      }
      for (let place = 0; place < sent.length; place++) {
        const calls = times.counts[place]! - sent[place]!;
        if (calls > 0) sink.timer(name, placeMs(place), calls);
      }
      sent.set(times.counts);
    }
  }

  /** Sends the rest and closes the sink. */
  async close(): Promise<void> {
    this.#timer.disable();
    this.flush();
    await this.#sink?.close();
  }
}
