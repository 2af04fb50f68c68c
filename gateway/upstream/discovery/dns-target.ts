import { isIP } from 'node:net';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { ClusterStats } from '../cluster-stats.ts';
import type { DnsAnswer, DnsListener, DnsResolver } from './dns-resolver.ts';
import { FamilyLookup, type LookupFamily } from './family-lookup.ts';

/** How a cluster asks DNS. Times in milliseconds. */
export interface DnsSettings {
  readonly refreshMs: number;
  readonly jitterMs: number;
  /** After failures: from the first doubling up to the second; null: `refreshMs` as ever. */
  readonly failureRefreshMs: { readonly base: number; readonly max: number } | null;
  readonly respectTtl: boolean;
  readonly family: LookupFamily;
}

/** What DNS discovery needs of the process. */
export interface DnsServices {
  readonly resolver: DnsResolver;
  readonly timers: Timers;
  readonly random: Random;
}

/** Told when the addresses of a name changed. */
export interface DnsTargetListener {
  onResolved(target: DnsTarget): void;
}

/** One name that is asked for again and again. Old addresses stay when a query fails. */
export class DnsTarget implements DnsListener, TimerTarget {
  readonly name: string;
  addresses: readonly string[] = [];
  /** Whether a query has been answered or has failed. */
  settled = false;
  readonly #settings: DnsSettings;
  readonly #services: DnsServices;
  readonly #stats: ClusterStats;
  readonly #listener: DnsTargetListener;
  readonly #timer: Timer;
  #failures = 0;
  #query: Cancellable | null = null;

  constructor(
    name: string,
    settings: DnsSettings,
    services: DnsServices,
    stats: ClusterStats,
    listener: DnsTargetListener,
  ) {
    this.name = name;
    this.#settings = settings;
    this.#services = services;
    this.#stats = stats;
    this.#listener = listener;
    this.#timer = services.timers.create(this);
  }

  start(): void {
    if (isIP(this.name) !== 0) {
      this.addresses = [this.name];
      this.settled = true;
      this.#listener.onResolved(this);
      return;
    }
    this.onTimer();
  }

  stop(): void {
    this.#timer.disable();
    this.#query?.cancel();
    this.#query = null;
  }

  onTimer(): void {
    const { family, respectTtl } = this.#settings;
    this.#stats.updateAttempt.inc();
    this.#query = new FamilyLookup(this.name, family, this.#services.resolver, respectTtl, this);
  }

  onDnsAnswer(answer: DnsAnswer): void {
    this.#query = null;
    const first = !this.settled;
    this.settled = true;
    if (!answer.ok) {
      this.#stats.updateFailure.inc();
      this.#failures++;
      this.#timer.enable(this.#failureDelayMs());
      if (first) this.#listener.onResolved(this);
      return;
    }
    this.#failures = 0;
    this.#stats.updateSuccess.inc();
    if (answer.addresses.length === 0) this.#stats.updateEmpty.inc();
    const { refreshMs, jitterMs, respectTtl } = this.#settings;
    const ttlMs = respectTtl && answer.ttlSeconds >= 0 ? Math.max(1000, answer.ttlSeconds * 1000) : refreshMs;
    this.#timer.enable(ttlMs + this.#services.random.next() * jitterMs);
    const changed = !sameSet(this.addresses, answer.addresses);
    this.addresses = answer.addresses;
    if (changed || first) this.#listener.onResolved(this);
    else this.#stats.updateNoRebuild.inc();
  }

  // Exponential with full jitter, as Envoy's: anywhere below the doubled base.
  #failureDelayMs(): number {
    const { failureRefreshMs, refreshMs } = this.#settings;
    if (failureRefreshMs === null) return refreshMs;
    const top = Math.min(failureRefreshMs.max, failureRefreshMs.base * 2 ** (this.#failures - 1));
    return Math.max(1, this.#services.random.next() * top);
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address) => b.includes(address));
}
