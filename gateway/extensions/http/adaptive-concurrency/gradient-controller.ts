import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { Distribution, quantilesOf } from '#gateway/stats/distribution.ts';
import type { Counter, Gauge } from '#gateway/stats/stats.ts';

/** Settings, read each time they are used: the runtime may change them. Times in milliseconds, shares in [0, 1]. */
export interface GradientSettings {
  /** The latency to aim at; 0: measured. */
  readonly fixedMinRttMs: number;
  minRttIntervalMs(): number;
  sampleIntervalMs(): number;
  maxConcurrency(): number;
  minConcurrency(): number;
  /** The limit while the smallest latency is measured. */
  measuringConcurrency(): number;
  /** Requests that make a measurement of the smallest latency. */
  minRttRequests(): number;
  percentile(): number;
  jitter(): number;
  /** How much slower than the smallest latency is still as good. */
  buffer(): number;
}

/** `<prefix>.adaptive_concurrency.gradient_controller.*`. */
export interface GradientStats {
  readonly blocked: Counter;
  readonly burstQueueSize: Gauge;
  readonly concurrencyLimit: Gauge;
  /** A thousand times the gradient. */
  readonly gradient: Gauge;
  readonly minRttActive: Gauge;
  readonly minRttMs: Gauge;
  readonly sampleRttMs: Gauge;
}

const [minGradient, maxGradient] = [0.5, 2];
/** Windows at the smallest limit after which the smallest latency is measured anew. */
const maxWindowsAtMinimum = 5;

/**
 * How many requests may be under way: latency is compared with the smallest one, measured now and then at the smallest limit.
 *
 *     measuring --enough requests--> sampling --interval, or five windows at the smallest limit--> measuring
 */
export class GradientController implements TimerTarget {
  readonly #settings: GradientSettings;
  readonly #stats: GradientStats;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #minRttTimer: Timer;
  readonly #sampleTimer: Timer;
  /** Latencies in microseconds. */
  readonly #latencies = new Distribution();
  #outstanding = 0;
  #limit: number;
  /** The limit to go on with after a measurement; 0: none is being made. */
  #deferredLimit = 0;
  #minRttUs = 0;
  #epochMs: number;
  #windowsAtMinimum = 0;

  constructor(settings: GradientSettings, stats: GradientStats, on: { clock: Clock; timers: Timers; random: Random }) {
    this.#settings = settings;
    this.#stats = stats;
    this.#clock = on.clock;
    this.#random = on.random;
    this.#minRttTimer = on.timers.create(this);
    this.#sampleTimer = on.timers.create(this);
    this.#limit = settings.minConcurrency();
    this.#epochMs = on.clock.nowMs();
    if (settings.fixedMinRttMs > 0) {
      this.#minRttUs = settings.fixedMinRttMs * 1000;
      stats.minRttMs.set(Math.floor(settings.fixedMinRttMs));
    } else {
      this.#measure();
    }
    this.#sampleTimer.enable(settings.sampleIntervalMs());
    stats.concurrencyLimit.set(this.#limit);
  }

  get limit(): number {
    return this.#limit;
  }

  /** Admits a request, which `ended` or `cancelled` must follow; false: there are enough. */
  admit(): boolean {
    if (this.#outstanding < this.#limit) {
      this.#outstanding++;
      return true;
    }
    this.#stats.blocked.inc();
    return false;
  }

  /** A request that was admitted at `startMs` was answered. */
  ended(startMs: number): void {
    this.#outstanding--;
    if (startMs < this.#epochMs) return; // admitted before this measurement began
    this.#latencies.record(Math.round((this.#clock.nowMs() - startMs) * 1000));
    if (this.#deferredLimit > 0 && this.#latencies.count >= this.#settings.minRttRequests()) this.#measured();
  }

  /** A request that was admitted ended without an answer. */
  cancelled(): void {
    this.#outstanding--;
  }

  /** @see TimerTarget */
  onTimer(timer: Timer): void {
    if (timer === this.#minRttTimer) {
      this.#measure();
      return;
    }
    if (this.#deferredLimit > 0) return; // goes on after the measurement
    if (this.#latencies.count > 0) this.#sampled();
    this.#sampleTimer.enable(this.#settings.sampleIntervalMs());
  }

  /** Stops the timers. */
  close(): void {
    this.#minRttTimer.disable();
    this.#sampleTimer.disable();
  }

  #measure(): void {
    if (this.#deferredLimit > 0) return;
    this.#stats.minRttActive.set(1);
    this.#deferredLimit = this.#limit;
    this.#setLimit(this.#settings.measuringConcurrency());
    this.#latencies.clear();
    this.#epochMs = this.#clock.nowMs();
  }

  #measured(): void {
    const settings = this.#settings;
    this.#minRttUs = this.#takeQuantile();
    this.#stats.minRttMs.set(Math.floor(this.#minRttUs / 1000));
    const limit = this.#deferredLimit;
    this.#setLimit(limit);
    this.#deferredLimit = 0;
    this.#stats.minRttActive.set(0);
    const intervalMs = settings.minRttIntervalMs();
    this.#minRttTimer.enable(intervalMs + Math.floor(this.#random.next() * intervalMs * settings.jitter()));
    this.#sampleTimer.enable(settings.sampleIntervalMs());
  }

  #sampled(): void {
    const sampleUs = this.#takeQuantile();
    this.#stats.sampleRttMs.set(Math.floor(sampleUs / 1000));
    const settings = this.#settings;
    const next = nextLimit(this.#limit, this.#minRttUs * (1 + settings.buffer()), sampleUs);
    this.#stats.gradient.set(Math.floor(next.gradient * 1000));
    this.#stats.burstQueueSize.set(Math.floor(next.headroom));
    this.#setLimit(Math.max(settings.minConcurrency(), Math.min(settings.maxConcurrency(), next.limit)));
  }

  #takeQuantile(): number {
    const value = quantilesOf(this.#latencies.bins(), [this.#settings.percentile()])[0]!;
    this.#latencies.clear();
    return Math.floor(value);
  }

  #setLimit(limit: number): void {
    const minimum = this.#settings.minConcurrency();
    const stays = this.#deferredLimit === 0 && this.#limit === minimum && limit === minimum;
    this.#limit = limit;
    this.#stats.concurrencyLimit.set(limit);
    this.#windowsAtMinimum = stays ? this.#windowsAtMinimum + 1 : 0;
    // The smallest latency may have been measured in a lucky moment.
    if (this.#windowsAtMinimum >= maxWindowsAtMinimum && this.#settings.fixedMinRttMs === 0)
      this.#minRttTimer.enable(0);
  }
}

/** The limit after a window whose latency was `sampleUs`, before bounds. Pure. */
export function nextLimit(
  limit: number,
  idealUs: number,
  sampleUs: number,
): { readonly gradient: number; readonly headroom: number; readonly limit: number } {
  const gradient = Math.max(minGradient, Math.min(maxGradient, sampleUs > 0 ? idealUs / sampleUs : maxGradient));
  const scaled = limit * gradient;
  const headroom = Math.sqrt(scaled);
  return { gradient, headroom, limit: Math.floor(scaled + headroom) };
}
