import type { Host } from '#gateway/api/upstream.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import { type HashingPolicy, type HashTable, hostHashKey } from './hash-table.ts';
import type { WeightedHost } from './weighted-hosts.ts';

/** Settings of the policy. Envoy's Maglev message. */
export interface MaglevOptions {
  /** A prime. */
  readonly tableSize: number;
  readonly useHostname: boolean;
  readonly balanceFactor: number;
}

/** Maglev hashing, with the same table as Envoy. Statistics: `maglev_lb.*`. */
export function maglev(options: MaglevOptions): HashingPolicy {
  return {
    name: 'maglev',
    balanceFactor: options.balanceFactor,
    createTable: (hosts: readonly WeightedHost[], scope: Scope): HashTable => new MaglevTable(hosts, options, scope),
  };
}

interface Candidate {
  readonly share: number;
  /** Where its walk through the table goes on, and by how many places at a time. */
  at: number;
  readonly skip: number;
  /** Takes a place once this often its share is due. */
  due: number;
  count: number;
}

class MaglevTable implements HashTable {
  readonly #hosts: readonly Host[];
  readonly #size: bigint;
  /** Index of the host of each slot. */
  readonly #table: Int32Array;

  constructor(hosts: readonly WeightedHost[], options: MaglevOptions, clusterScope: Scope) {
    const size = options.tableSize;
    this.#size = BigInt(size);
    this.#table = new Int32Array(hosts.length === 0 ? 0 : size).fill(-1);
    // In the order of their keys, so that the table does not depend on the order in which discovery lists them.
    const keyed = hosts.map((weighted) => ({ weighted, key: hostHashKey(weighted.host, options.useHostname) }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#hosts = keyed.map(({ weighted }) => weighted.host);
    const candidates = keyed.map(({ weighted: { share }, key }): Candidate => {
      return {
        share,
        at: Number(xxhash64(key) % this.#size),
        skip: Number(xxhash64(key, 1n) % (this.#size - 1n)) + 1,
        due: 0,
        count: 0,
      };
    });
    if (hosts.length > 0) this.#fill(candidates);
    const scope = clusterScope.scope('maglev_lb');
    scope.gauge('min_entries_per_host').set(candidates.reduce((least, { count }) => Math.min(least, count), size));
    scope.gauge('max_entries_per_host').set(candidates.reduce((most, { count }) => Math.max(most, count), 0));
  }

  choose(hash: bigint, attempt: number): Host | null {
    if (this.#table.length === 0) return null;
    const tried = attempt === 0 ? hash : hash ^ (0x1_0000_0000_0000_0000n - BigInt(attempt));
    return this.#hosts[this.#table[Number(tried % this.#size)]!]!;
  }

  // Hosts take turns; one with half the greatest share takes every other turn.
  #fill(candidates: readonly Candidate[]): void {
    const table = this.#table;
    const size = table.length;
    let greatest = 0;
    for (const { share } of candidates) greatest = Math.max(greatest, share);
    let filled = 0;
    for (let turn = 1; filled < size; turn++) {
      for (let i = 0; i < candidates.length && filled < size; i++) {
        const candidate = candidates[i]!;
        if (turn * candidate.share < candidate.due) continue;
        candidate.due += greatest;
        while (table[candidate.at] !== -1) candidate.at = (candidate.at + candidate.skip) % size;
        table[candidate.at] = i;
        candidate.count++;
        filled++;
      }
    }
  }
}
