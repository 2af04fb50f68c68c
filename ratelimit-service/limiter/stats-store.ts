import { cleanStatName, LimitStats } from './limit-stats.ts';

/** Names that requests bring along are kept up to this many; the oldest go first. The reference never forgets one. */
const maxDynamicNames = 10_000;

/** All statistics of the service. */
export class StatsStore {
  readonly #configured = new Map<string, LimitStats>();
  readonly #dynamic = new Map<string, LimitStats>();
  readonly #domainsNotFound = new Map<string, number>();
  configLoadSuccess = 0;
  configLoadError = 0;
  globalShadowMode = 0;
  redisError = 0;
  serviceError = 0;
  /** Calls by gRPC method. */
  readonly calls: Map<string, number> = new Map();

  /** Statistics of a configured limit; they survive a reload. */
  configured(key: string): LimitStats {
    return getOrAdd(this.#configured, key);
  }

  /** Statistics under a name that a request made up. */
  dynamic(key: string): LimitStats {
    const known = this.#configured.get(key);
    if (known !== undefined) return known;
    const stats = getOrAdd(this.#dynamic, key);
    if (this.#dynamic.size > maxDynamicNames) dropOldest(this.#dynamic);
    return stats;
  }

  /** Counts a call for a domain that no file has. */
  domainNotFound(domain: string): void {
    const key = cleanStatName(domain);
    this.#domainsNotFound.set(key, (this.#domainsNotFound.get(key) ?? 0) + 1);
    if (this.#domainsNotFound.size > maxDynamicNames) dropOldest(this.#domainsNotFound);
  }

  /** Counts a call of a gRPC method. */
  countCall(method: string): void {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
  }

  /** Every limit's statistics. */
  *limits(): Generator<LimitStats> {
    yield* this.#configured.values();
    yield* this.#dynamic.values();
  }

  /** Counts by domain that was not found. */
  get domainsNotFound(): ReadonlyMap<string, number> {
    return this.#domainsNotFound;
  }
}

function getOrAdd(map: Map<string, LimitStats>, key: string): LimitStats {
  let stats = map.get(key);
  if (stats === undefined) {
    stats = new LimitStats(key);
    map.set(key, stats);
  }
  return stats;
}

function dropOldest(map: Map<string, unknown>): void {
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
