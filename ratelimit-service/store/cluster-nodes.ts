import type { Cluster, Redis } from 'ioredis';
import { ConnectionWatch, type ConnectionWatchOptions } from './connection-watch.ts';
import type { RedisLink } from './redis-link.ts';
import { InFlight, RedisNode, type RedisNodeOptions } from './redis-node.ts';

/** A node of the cluster as the client has it now. */
interface Member {
  readonly redis: Redis;
  readonly watch: ConnectionWatch;
}

/**
 * The nodes of a cluster, each with a circuit of its own, found by slot. A slot whose node is not there is asked for at any
 * other one, which says where it lies now (MOVED).
 */
export class ClusterNodes {
  readonly #cluster: Cluster;
  readonly #options: RedisNodeOptions;
  readonly #watching: ConnectionWatchOptions;
  readonly #members = new Map<string, Member>();
  readonly #nodes = new Map<string, RedisNode>();
  readonly #inFlight = new InFlight();

  constructor(cluster: Cluster, options: RedisNodeOptions, watching: ConnectionWatchOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#watching = watching;
    for (const redis of cluster.nodes?.() ?? []) this.#add(redis);
    cluster.on('+node', (redis: Redis) => this.#add(redis));
    cluster.on('-node', (redis: Redis) => this.#remove(redis));
  }

  /** The node that has the slot. */
  nodeOf(slot: number): RedisNode {
    const address = this.#cluster.slots[slot]?.[0] ?? '';
    let node = this.#nodes.get(address);
    if (node === undefined) {
      node = new RedisNode(
        new MemberLink(this, this.#cluster, address),
        { ...this.#options, name: address },
        this.#inFlight,
      );
      this.#nodes.set(address, node);
    }
    return node;
  }

  /** Whether any node would be asked. */
  get usable(): boolean {
    if (this.#cluster.status !== 'ready') return false;
    for (const node of this.#nodes.values()) if (node.usable) return true;
    return this.#nodes.size === 0;
  }

  /** What reaches the node with this address, or may know who took its place. */
  clientAt(address: string): Redis | null {
    if (this.#cluster.status !== 'ready') return null;
    const own = this.#members.get(address);
    if (own !== undefined) return own.watch.ready ? own.redis : null;
    for (const { redis, watch } of this.#members.values()) if (watch.ready) return redis;
    return null;
  }

  /** Why it is not reached. */
  problemAt(address: string): string {
    return this.#members.get(address)?.watch.problem ?? 'redis: the cluster is not connected';
  }

  /** Gives its connection up, and asks anew who has which slots. */
  renewAt(address: string): void {
    this.#options.stats.renewed++;
    // Its end takes it out of the client's pool; it comes back when the slots still name it.
    this.#members.get(address)?.watch.end(false);
    this.#cluster.refreshSlotsCache();
  }

  #add(redis: Redis): void {
    const address = addressOf(redis);
    this.#members.set(address, { redis, watch: new ConnectionWatch(redis, { ...this.#watching, name: address }) });
    // A command that waits for a connection might be sent after its deadline: it is made beforehand.
    if (redis.status === 'wait') redis.connect().catch(() => {});
  }

  #remove(redis: Redis): void {
    const address = addressOf(redis);
    if (this.#members.get(address)?.redis !== redis) return;
    this.#members.delete(address);
    const node = this.#nodes.get(address);
    if (node?.idle === true) this.#nodes.delete(address);
    if (this.#cluster.status === 'ready') this.#cluster.refreshSlotsCache();
  }
}

/** As the table of slots writes it. */
function addressOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

/** The way to the node with one address. */
class MemberLink implements RedisLink {
  readonly redirects: Cluster;
  readonly #nodes: ClusterNodes;
  readonly #address: string;

  constructor(nodes: ClusterNodes, cluster: Cluster, address: string) {
    this.redirects = cluster;
    this.#nodes = nodes;
    this.#address = address;
  }

  get client(): Redis | null {
    return this.#nodes.clientAt(this.#address);
  }

  get problem(): string {
    return this.#nodes.problemAt(this.#address);
  }

  renew(): void {
    this.#nodes.renewAt(this.#address);
  }

  // Who connects again, and when, is the cluster client's: a node that is gone is not tried by itself.
  onWorking(): void {}
}
