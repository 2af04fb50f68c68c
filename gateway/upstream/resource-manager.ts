import type { Resource, ResourceManager } from '#gateway/api/upstream.ts';
import type { Gauge } from '#gateway/stats/stats.ts';

/** A counted limit of a circuit breaker with its gauges: `<x>_open` and, when tracked, `remaining_<x>`. */
export class CountedResource implements Resource {
  readonly max: number;
  /** How many are taken; may exceed `max` by what `acquire` took. */
  count = 0;
  readonly #open: Gauge;
  readonly #remaining: Gauge | null;

  constructor(max: number, open: Gauge, remaining: Gauge | null) {
    this.max = max;
    this.#open = open;
    this.#remaining = remaining;
    open.set(0);
    remaining?.set(max);
  }

  get available(): boolean {
    return this.count < this.max;
  }

  tryAcquire(): boolean {
    if (this.count >= this.max) return false;
    this.acquire();
    return true;
  }

  /** Takes one whatever the limit says. */
  acquire(): void {
    this.count++;
    if (this.count >= this.max) this.#open.set(1);
    if (this.#remaining !== null) this.#remaining.set(Math.max(0, this.max - this.count));
  }

  release(): void {
    this.count--;
    if (this.count === this.max - 1) this.#open.set(0);
    if (this.#remaining !== null) this.#remaining.set(Math.max(0, this.max - this.count));
  }
}

/**
 * Retries allowed as a share of the requests that are active or waiting. Envoy's
 * `CircuitBreakers.Thresholds.RetryBudget`.
 */
export class RetryBudget implements Resource {
  readonly #percent: number;
  readonly #minimum: number;
  readonly #requests: CountedResource;
  readonly #pending: CountedResource;
  readonly #open: Gauge;
  count = 0;

  constructor(
    percent: number,
    minimum: number,
    requests: CountedResource,
    pending: CountedResource,
    open: Gauge,
    remaining: Gauge | null,
  ) {
    this.#percent = percent;
    this.#minimum = minimum;
    this.#requests = requests;
    this.#pending = pending;
    this.#open = open;
    open.set(0);
    remaining?.set(0); // not tracked for budgets, as in Envoy
  }

  /** Retries that may be under way at once right now. */
  get max(): number {
    const active = this.#requests.count + this.#pending.count;
    return Math.max(this.#minimum, Math.floor((this.#percent / 100) * active));
  }

  get available(): boolean {
    return this.count < this.max;
  }

  tryAcquire(): boolean {
    if (!this.available) return false;
    this.count++;
    this.#open.set(this.available ? 0 : 1);
    return true;
  }

  release(): void {
    this.count--;
    this.#open.set(this.available ? 0 : 1);
  }
}

/** The circuit breaker of one priority of one cluster. */
export class BreakerResources implements ResourceManager {
  readonly connections: CountedResource;
  readonly pendingRequests: CountedResource;
  readonly requests: CountedResource;
  readonly retries: CountedResource | RetryBudget;

  constructor(
    connections: CountedResource,
    pendingRequests: CountedResource,
    requests: CountedResource,
    retries: CountedResource | RetryBudget,
  ) {
    this.connections = connections;
    this.pendingRequests = pendingRequests;
    this.requests = requests;
    this.retries = retries;
  }
}
