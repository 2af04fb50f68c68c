import type { Host, LoadBalancerContext } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter, Scope } from '#gateway/stats/stats.ts';
import type { HostSet } from '../host-set.ts';
import type { Balancer, BalancerOptions } from './balancer.ts';
import { BoundedLoadTable } from './bounded-load.ts';
import type { HashingPolicy, HashTable } from './hash-table.ts';
import { type PriorityLoad, priorityLoad } from './priority-load.ts';
import { weightedHosts } from './weighted-hosts.ts';

/** Ring hash and Maglev: the request's hash chooses the priority and the host; without a hash they are random. */
export class HashingBalancer implements Balancer {
  readonly #policy: HashingPolicy;
  readonly #options: BalancerOptions;
  readonly #random: Random;
  readonly #panics: Counter;
  readonly #scope: Scope;
  #load: PriorityLoad = { healthy: [], degraded: [], panic: [] };
  #tables: readonly HashTable[] = [];

  /** `scope` is the cluster's. */
  constructor(policy: HashingPolicy, options: BalancerOptions, random: Random, panics: Counter, scope: Scope) {
    this.#policy = policy;
    this.#options = options;
    this.#random = random;
    this.#panics = panics;
    this.#scope = scope;
  }

  get load(): PriorityLoad {
    return this.#load;
  }

  update(sets: readonly HostSet[], overprovisioning: number): void {
    const { panicPercent, localityWeighted } = this.#options;
    const load = priorityLoad(sets, overprovisioning, panicPercent);
    this.#load = load;
    this.#tables = sets.map((set, i) => {
      const hosts = weightedHosts(set, load.panic[i]!, localityWeighted);
      const table = this.#policy.createTable(hosts, this.#scope);
      const { balanceFactor } = this.#policy;
      return balanceFactor === 0 ? table : new BoundedLoadTable(table, hosts, balanceFactor);
    });
  }

  choose(context: LoadBalancerContext | null): Host | null {
    const hash = context?.hashKey() ?? this.#randomHash();
    const priority = this.#priority(Number(hash % 100n));
    const table = this.#tables[priority];
    if (table === undefined) return null;
    if (this.#load.panic[priority]) this.#panics.inc();
    const attempts = context === null ? 0 : context.hostSelectionRetryCount;
    let host = table.choose(hash, 0);
    for (let i = 1; i <= attempts && host !== null && context!.shouldSelectAnotherHost(host); i++) {
      host = table.choose(hash, i);
    }
    return host;
  }

  // `draw` is one of 100.
  #priority(draw: number): number {
    const { healthy, degraded } = this.#load;
    let left = draw;
    for (const loads of [healthy, degraded]) {
      for (let i = 0; i < loads.length; i++) {
        left -= loads[i]!;
        if (left < 0) return i;
      }
    }
    return 0;
  }

  #randomHash(): bigint {
    return (BigInt(this.#random.uint32()) << 32n) | BigInt(this.#random.uint32());
  }
}
