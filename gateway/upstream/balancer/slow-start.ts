import type { Host } from '#gateway/api/upstream.ts';
import type { Clock } from '#gateway/runtime/clock.ts';

/** How a new host's share grows. Envoy's SlowStartConfig. */
export interface SlowStartOptions {
  readonly windowMs: number;
  /** 1: in a straight line; more: faster at first. */
  readonly aggression: number;
  /** A new host has at least this share of its weight, percent. */
  readonly minWeightPercent: number;
}

/** What slow start knows of a host: since when it has been able to take requests, monotonic milliseconds. */
interface Ageing {
  readonly readySinceMs: number;
}

/** Lowers the weights of hosts that are new (or newly healthy), so that they warm up. */
export class SlowStart {
  readonly #options: SlowStartOptions;
  readonly #clock: Clock;

  constructor(options: SlowStartOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Whether some host is in its window. */
  concerns(hosts: readonly Host[]): boolean {
    return hosts.some((host) => this.#ageMs(host) < this.#options.windowMs);
  }

  /** The part of its weight that a host has now, above 0 and up to 1. */
  factor(host: Host): number {
    const { windowMs, aggression, minWeightPercent } = this.#options;
    const ageMs = this.#ageMs(host);
    if (ageMs >= windowMs) return 1;
    const time = Math.max(1000, ageMs) / windowMs; // the first second counts as over
    const grown = aggression === 1 ? time : time ** (1 / aggression);
    return Math.min(1, Math.max(grown, minWeightPercent / 100));
  }

  #ageMs(host: Host): number {
    return this.#clock.nowMs() - ((host as Host & Partial<Ageing>).readySinceMs ?? Number.NEGATIVE_INFINITY);
  }
}
