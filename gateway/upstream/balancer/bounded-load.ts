import type { Host } from '#gateway/api/upstream.ts';
import { MersenneTwister } from '#gateway/base/mersenne-twister.ts';
import type { HashTable } from './hash-table.ts';
import type { WeightedHost } from './weighted-hosts.ts';

/**
 * Consistent hashing with bounded loads: a host with more than `factor` percent of its share of the active requests is
 * passed over for another one, in an order that follows from the hash.
 */
export class BoundedLoadTable implements HashTable {
  readonly #table: HashTable;
  readonly #hosts: readonly WeightedHost[];
  readonly #factor: number;
  readonly #shares: ReadonlyMap<Host, number>;

  constructor(table: HashTable, hosts: readonly WeightedHost[], factor: number) {
    this.#table = table;
    this.#hosts = hosts;
    this.#factor = factor;
    this.#shares = new Map(hosts.map(({ host, share }) => [host, share]));
  }

  choose(hash: bigint, attempt: number): Host | null {
    const first = this.#table.choose(hash, attempt);
    if (first === null) return null;
    let least = this.#overload(first, this.#shares.get(first)!);
    if (least <= 1) return first;
    let best = first;
    const random = new MersenneTwister(Number(hash & 0xffff_ffffn));
    const order = Uint32Array.from(this.#hosts, (_, i) => i);
    for (let i = 0; i < order.length; i++) {
      const j = i + below(random, order.length - i);
      const index = order[j]!;
      order[j] = order[i]!;
      order[i] = index;
      const { host, share } = this.#hosts[index]!;
      if (host === first) continue;
      const overload = this.#overload(host, share);
      if (overload <= 1) return host;
      if (overload < least) {
        least = overload;
        best = host;
      }
    }
    return best;
  }

  #overload(host: Host, share: number): number {
    const active = host.cluster.stats.rqActive.value;
    const slots = Math.floor(((active + 1) * this.#factor + 99) / 100);
    return host.stats.rqActive.value / Math.max(1, Math.ceil(slots * share));
  }
}

// Uniform in [0, limit), as Envoy draws it.
function below(random: MersenneTwister, limit: number): number {
  const step = Math.floor(0x1_0000_0000 / limit);
  let drawn = limit;
  while (drawn >= limit) drawn = Math.floor(random.uint32() / step);
  return drawn;
}
