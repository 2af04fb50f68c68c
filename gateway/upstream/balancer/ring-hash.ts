import type { Host } from '#gateway/api/upstream.ts';
import { murmurHash2 } from '#gateway/base/murmur-hash2.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import { type HashingPolicy, type HashTable, hostHashKey } from './hash-table.ts';
import type { WeightedHost } from './weighted-hosts.ts';

/** Settings of the policy. Envoy's RingHash message. */
export interface RingHashOptions {
  readonly minimumRingSize: number;
  readonly maximumRingSize: number;
  readonly hashFunction: 'xx_hash' | 'murmur_hash_2';
  readonly useHostname: boolean;
  readonly balanceFactor: number;
}

/** Consistent hashing on a ring (ketama), with the same places as Envoy. Statistics: `ring_hash_lb.*`. */
export function ringHash(options: RingHashOptions): HashingPolicy {
  return {
    name: 'ring_hash',
    balanceFactor: options.balanceFactor,
    createTable: (hosts: readonly WeightedHost[], scope: Scope): HashTable => new Ring(hosts, options, scope),
  };
}

interface Place {
  readonly hash: bigint;
  readonly host: Host;
}

class Ring implements HashTable {
  readonly #places: Place[] = [];

  constructor(hosts: readonly WeightedHost[], options: RingHashOptions, clusterScope: Scope) {
    if (hosts.length === 0) return;
    let least = 1;
    for (const { share } of hosts) least = Math.min(least, share);
    // The host of least weight gets a whole number of places, unless that makes the ring too large.
    const scale = Math.min(Math.ceil(least * options.minimumRingSize) / least, options.maximumRingSize);
    const hash = options.hashFunction === 'murmur_hash_2' ? murmurHash2 : xxhash64;
    const size = Math.ceil(scale);
    let fewest = size;
    let most = 0;
    let made = 0;
    let wanted = 0;
    for (const { host, share } of hosts) {
      const key = hostHashKey(host, options.useHostname);
      wanted += scale * share;
      let own = 0;
      for (; made < wanted; made++) this.#places.push({ hash: hash(`${key}_${own++}`), host });
      fewest = Math.min(fewest, own);
      most = Math.max(most, own);
    }
    this.#places.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
    const scope = clusterScope.scope('ring_hash_lb');
    scope.gauge('size').set(size);
    scope.gauge('min_hashes_per_host').set(fewest);
    scope.gauge('max_hashes_per_host').set(most);
  }

  /** The host of the first place at or after the hash; each further attempt goes one place on. */
  choose(hash: bigint, attempt: number): Host | null {
    const places = this.#places;
    if (places.length === 0) return null;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (places[middle]!.hash < hash) low = middle + 1;
      else high = middle;
    }
    return places[(low + attempt) % places.length]!.host;
  }
}
