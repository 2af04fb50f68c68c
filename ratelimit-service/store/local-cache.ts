import type { StatSource } from '../stats/stat-source.ts';

/** Octets that one key is reckoned to take besides its characters. */
const octetsPerKey = 64;

/**
 * LOCAL_CACHE_SIZE_IN_BYTES: keys seen over their limit, so that the counter need not be asked again in this window. The
 * limit is kept with the key, so that a raised limit is asked anew, which the reference service does not do.
 */
export class LocalCache implements StatSource {
  readonly #maxOctets: number;
  readonly #limits = new Map<string, { readonly limit: number; readonly expiresSeconds: number }>();
  #octets = 0;
  hits = 0;
  misses = 0;
  #evicted = 0;
  #expired = 0;
  #overwritten = 0;

  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets;
  }

  /** Keys held. */
  get size(): number {
    return this.#limits.size;
  }

  /** Whether `key` is known to be over a limit as high as this one. */
  isOver(key: string, limit: number, nowSeconds: number): boolean {
    const entry = this.#limits.get(key);
    if (entry !== undefined && entry.expiresSeconds > nowSeconds && entry.limit >= limit) {
      this.hits++;
      return true;
    }
    if (entry !== undefined && entry.expiresSeconds <= nowSeconds) {
      this.#expired++;
      this.forget(key);
    }
    this.misses++;
    return false;
  }

  /** In the reference service's words; there is no averageAccessTime. */
  *gauges(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.localcache.evacuateCount', this.#evicted];
    yield ['ratelimit.localcache.expiredCount', this.#expired];
    yield ['ratelimit.localcache.entryCount', this.#limits.size];
    yield ['ratelimit.localcache.hitCount', this.hits];
    yield ['ratelimit.localcache.missCount', this.misses];
    yield ['ratelimit.localcache.lookupCount', this.hits + this.misses];
    yield ['ratelimit.localcache.overwriteCount', this.#overwritten];
  }

  /** The same as `isOver`, for a look: nothing is counted. */
  knowsOver(key: string, limit: number, nowSeconds: number): boolean {
    const entry = this.#limits.get(key);
    return entry !== undefined && entry.expiresSeconds > nowSeconds && entry.limit >= limit;
  }

  /** Asks the store again: some of what was counted was given back. */
  forget(key: string): void {
    if (this.#limits.delete(key)) this.#octets -= key.length + octetsPerKey;
  }

  /** Notes that `key` is over its limit until `expiresSeconds`. The oldest keys make room. */
  setOver(key: string, limit: number, expiresSeconds: number): void {
    if (this.#limits.has(key)) this.#overwritten++;
    else this.#octets += key.length + octetsPerKey;
    this.#limits.set(key, { limit, expiresSeconds });
    for (const oldest of this.#limits.keys()) {
      if (this.#octets <= this.#maxOctets) return;
      this.#limits.delete(oldest);
      this.#evicted++;
      this.#octets -= oldest.length + octetsPerKey;
    }
  }
}
