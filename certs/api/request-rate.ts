import type { Clock } from '#gateway/runtime/clock.ts';

/** Addresses that are remembered; beyond, the one seen longest ago is forgotten. */
const maxAddresses = 10_000;

/** A budget of requests per address that refills evenly: a token bucket each. */
export class RequestRate {
  readonly #perMinute: number;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { left: number; atMs: number }>();

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Takes one request out of the address's budget: 0 when there was one, else the seconds to wait. */
  take(address: string): number {
    const nowMs = this.#clock.nowMs();
    const found = this.#buckets.get(address);
    const refilled =
      found === undefined ? this.#perMinute : found.left + ((nowMs - found.atMs) * this.#perMinute) / 60_000;
    const left = Math.min(this.#perMinute, refilled);
    this.#buckets.delete(address); // so that the map stays in the order of use
    this.#buckets.set(address, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
    if (this.#buckets.size > maxAddresses) this.#buckets.delete(this.#buckets.keys().next().value!);
    return left >= 1 ? 0 : Math.ceil(((1 - left) * 60) / this.#perMinute);
  }
}
