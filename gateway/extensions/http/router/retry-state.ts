import type { RetryPolicy } from '#gateway/api/route.ts';
import type { ClusterInfo, Host, ResourceManager } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { PreviousPriorities } from '#gateway/upstream/balancer/previous-priorities.ts';
import type { RetryConditions } from './retry-conditions.ts';

/** What came of asking for another try. */
export type RetryVerdict = 'no' | 'yes' | 'overflow' | 'limit_exceeded';

/** Told when it is time for the next try. */
export interface RetryListener {
  onRetryTimer(): void;
}

/** How long tries are put off, milliseconds. */
interface RetryBackOff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Envoy's back-off where the route sets none. */
const defaultBackOff: RetryBackOff = { baseMs: 25, maxMs: 250 };

/**
 * The tries of one request: how many are left, the circuit breaker's share they hold, and the wait before the next one
 * (anywhere below an interval that doubles from `baseMs` to `maxMs`).
 */
export class RetryState implements TimerTarget {
  readonly conditions: RetryConditions;
  readonly #cluster: ClusterInfo;
  readonly #resources: ResourceManager;
  readonly #backOff: RetryBackOff;
  #timer: Timer | null = null;
  readonly #runtime: { readonly timers: Timers; readonly random: Random };
  readonly #listener: RetryListener;
  #remaining: number;
  #intervalMs: number;
  /** A retry has been granted and its outcome is not known yet. */
  #armed = false;
  readonly #avoidPrevious: boolean;
  /** Which priorities the next try leaves out, or null. */
  readonly priority: PreviousPriorities | null;
  #tried: Host[] = [];

  constructor(
    conditions: RetryConditions,
    cluster: ClusterInfo,
    resources: ResourceManager,
    policy: RetryPolicy | null,
    runtime: { readonly timers: Timers; readonly random: Random },
    listener: RetryListener,
  ) {
    this.conditions = conditions;
    this.#cluster = cluster;
    this.#resources = resources;
    const backOff = policy === null ? defaultBackOff : { baseMs: policy.backOffBaseMs, maxMs: policy.backOffMaxMs };
    this.#backOff = backOff;
    this.#avoidPrevious = policy?.avoidPreviousHosts === true;
    const frequency = policy === null ? 0 : policy.previousPrioritiesFrequency;
    this.priority = frequency > 0 ? new PreviousPriorities(frequency) : null;
    this.#runtime = runtime;
    this.#listener = listener;
    this.#remaining = conditions.retries;
    this.#intervalMs = backOff.baseMs;
  }

  /** Grants another try, if `wanted` and there is one left and the circuit breaker allows it, and starts the wait. */
  ask(wanted: boolean): RetryVerdict {
    const { stats } = this.#cluster;
    if (this.#armed && !wanted) stats.rqRetrySuccess.inc();
    this.release();
    if (!wanted) return 'no';
    if (this.#remaining === 0) {
      stats.rqRetryLimitExceeded.inc();
      return 'limit_exceeded';
    }
    this.#remaining--;
    if (!this.#resources.retries.tryAcquire()) {
      stats.rqRetryOverflow.inc();
      return 'overflow';
    }
    this.#armed = true;
    stats.rqRetry.inc();
    stats.rqRetryBackoffExponential.inc();
    this.#timer ??= this.#runtime.timers.create(this);
    this.#timer.enable(this.#nextDelayMs());
    return 'yes';
  }

  /** Lets go of the circuit breaker's share and of the timer. */
  release(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#resources.retries.release();
    this.#timer?.disable();
  }

  onTimer(): void {
    this.#listener.onRetryTimer();
  }

  onHostTried(host: Host): void {
    if (this.#avoidPrevious) this.#tried.push(host);
    this.priority?.onHostTried(host);
  }

  wasTried(host: Host): boolean {
    return this.#tried.includes(host);
  }

  #nextDelayMs(): number {
    const interval = this.#intervalMs;
    this.#intervalMs = Math.min(interval * 2, this.#backOff.maxMs);
    return Math.min(this.#runtime.random.next() * interval, this.#backOff.maxMs);
  }
}
