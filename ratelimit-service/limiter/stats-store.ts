import { MethodStats } from '../stats/method-stats.ts';
import type { StatSource } from '../stats/stat-source.ts';
import { RedisStats } from '../store/redis-stats.ts';
import { BoundedNames } from './bounded-names.ts';
import { cleanStatName, LimitStats } from './limit-stats.ts';

/** Names that requests bring along are kept up to this many when nothing else is said. The reference never forgets one. */
const usualMaxNames = 10_000;

/** Told what becomes of names that there is no room for. */
export interface StatsListener {
  /** All that `from` counted is now in `into`. Both are names of limits, or of domains that were not found. */
  onNameFolded?(kind: 'limit' | 'domain', from: string, into: string): void;
  /** Some names were dropped: what holds on to their statistics should ask for them anew. */
  onNamesDropped?(): void;
}

/** Calls for one domain that no file has. */
interface DomainCount {
  readonly domain: string;
  calls: number;
}

/**
 * All statistics of the service. Names that requests make up (overrides, `detailed_metric`, `value_to_metric`, domains that
 * no file has) are bounded: the coldest go, and what they counted goes to `<domain>.other`, or to the domain `other`.
 */
export class StatsStore {
  readonly #configured = new Map<string, LimitStats>();
  readonly #dynamic: BoundedNames<LimitStats>;
  /** Those that dropped names share. */
  readonly #rests = new Set<LimitStats>();
  readonly #domainsNotFound: BoundedNames<DomainCount>;
  readonly #otherDomains: DomainCount = { domain: 'other', calls: 0 };
  readonly #listeners: StatsListener[] = [];
  configLoadSuccess = 0;
  configLoadError = 0;
  globalShadowMode = 0;
  redisError = 0;
  /** What happened between the service and its Redis. */
  readonly redis: RedisStats = new RedisStats();
  serviceError = 0;
  /** What other parts count themselves. */
  readonly sources: StatSource[] = [];
  readonly #methods = new Map<string, MethodStats>();
  readonly shouldRateLimit: MethodStats = this.method('ShouldRateLimit');
  readonly healthCheck: MethodStats = this.method('Check');

  /** `maxNames`: STATS_MAX_NAMES, for limits and for domains each. */
  constructor(maxNames: number = usualMaxNames) {
    const dropped = (): void => {
      for (const listener of this.#listeners) listener.onNamesDropped?.();
    };
    const folded = (kind: 'limit' | 'domain', from: string, into: string): void => {
      for (const listener of this.#listeners) listener.onNameFolded?.(kind, from, into);
    };
    this.#dynamic = new BoundedNames({
      max: maxNames,
      make: (name) => new LimitStats(name),
      total: ({ totalHits, totalNegativeHits, exempted }) => totalHits + totalNegativeHits + exempted,
      // A limit of the configuration that has this name shares it.
      rest: (domain) => {
        const rest = this.configured(`${domain}.other`);
        this.#rests.add(rest);
        return rest;
      },
      fold: (stats, rest) => {
        stats.foldInto(rest);
        folded('limit', stats.key, rest.key);
      },
      dropped,
    });
    this.#domainsNotFound = new BoundedNames({
      max: maxNames,
      make: (domain) => ({ domain, calls: 0 }),
      total: ({ calls }) => calls,
      rest: () => this.#otherDomains,
      fold: (count, rest) => {
        rest.calls += count.calls;
        folded('domain', count.domain, rest.domain);
      },
      dropped,
    });
  }

  /** Tells this one from now on. */
  subscribe(listener: StatsListener): void {
    this.#listeners.push(listener);
  }

  /** Statistics of a configured limit; they survive a reload. */
  configured(key: string): LimitStats {
    const name = cleanStatName(key);
    let stats = this.#configured.get(name);
    if (stats === undefined) {
      stats = this.#dynamic.take(name) ?? new LimitStats(name);
      this.#configured.set(name, stats);
    }
    return stats;
  }

  /**
   * A configuration is in force, or was refused. Names of limits that are no more are bounded like those that requests make
   * up, and names that only a refused configuration had are forgotten. Both hold the limits' statistics and their domains.
   */
  settle(inForce: ReadonlyMap<LimitStats, string>, before: ReadonlyMap<LimitStats, string>): void {
    for (const [name, stats] of this.#configured) {
      if (inForce.has(stats) || this.#rests.has(stats)) continue;
      this.#configured.delete(name);
      const domain = before.get(stats);
      if (domain !== undefined) this.#dynamic.keep(name, stats, domain);
    }
  }

  /** Statistics under a name that a request to this domain made up. They may be dropped: see {@link LimitStats.live}. */
  dynamic(key: string, domain: string): LimitStats {
    return this.#configured.get(cleanStatName(key)) ?? this.#dynamic.get(key, domain);
  }

  /** Counts the descriptors of a call for a domain that no file has. */
  domainNotFound(domain: string, descriptors = 1): void {
    this.#domainsNotFound.get(domain, '').calls += descriptors;
  }

  /** Statistics of a gRPC method. */
  method(name: string): MethodStats {
    let stats = this.#methods.get(name);
    if (stats === undefined) {
      stats = new MethodStats(name);
      this.#methods.set(name, stats);
    }
    return stats;
  }

  /** Counts a call of a gRPC method. */
  countCall(method: string): void {
    this.method(method).requests++;
  }

  /** Every gRPC method that has been asked for. */
  methods(): IterableIterator<MethodStats> {
    return this.#methods.values();
  }

  /** Every limit's statistics. */
  *limits(): Generator<LimitStats> {
    yield* this.#configured.values();
    for (const [, stats] of this.#dynamic.entries()) yield stats;
  }

  /** Counts by domain that was not found. */
  get domainsNotFound(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [domain, { calls }] of this.#domainsNotFound.entries()) counts.set(domain, calls);
    const { domain, calls } = this.#otherDomains;
    if (calls > 0) counts.set(domain, (counts.get(domain) ?? 0) + calls);
    return counts;
  }
}
