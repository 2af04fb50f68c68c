import type { Cluster, Redis } from 'ioredis';
import type { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import type { ConnectionWatchOptions } from './connection-watch.ts';
import type { CounterStore, CounterWaiter } from './counter-store.ts';
import { hashSlot } from './hash-slot.ts';
import { InFlight, RedisNode, type RedisNodeOptions } from './redis-node.ts';
import { type TakePart, takeInParts } from './reserved-take.ts';
import { ServerLink } from './server-link.ts';
import type { Take } from './take.ts';

/** How the Redis store behaves. */
export interface RedisStoreOptions extends RedisNodeOptions, ConnectionWatchOptions {
  /** The pauses that the client makes between attempts to connect. */
  readonly reconnect: JitteredBackoff;
}

/**
 * Counters in Redis. What the calls of one event-loop turn ask goes in one pipeline (in a cluster one for each node):
 * `INCRBY key hits` and `EXPIRE key seconds` for each key, where calls that add to the same key share one INCRBY and each
 * gets the number it would have got by itself; and one call of a script for what they take from other limits than plain
 * fixed windows (in a cluster one for each slot).
 */
export class RedisStore implements CounterStore {
  readonly #redis: Redis | Cluster;
  /** Null in a cluster. */
  readonly #node: RedisNode | null;
  readonly #cluster: ClusterNodes | null;
  #closed = false;

  constructor(redis: Redis | Cluster, options: RedisStoreOptions) {
    this.#redis = redis;
    this.#cluster = redis.isCluster ? new ClusterNodes(redis as Cluster, options, options) : null;
    this.#node = redis.isCluster
      ? null
      : new RedisNode(new ServerLink(redis as Redis, options.reconnect, options), options, new InFlight());
  }

  /** For what is shared besides counters. */
  get client(): Redis | Cluster {
    return this.#redis;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  get healthy(): boolean {
    return this.#node?.usable ?? this.#cluster!.usable;
  }

  add(
    key: string,
    hits: number,
    _windowStart: number,
    windowSeconds: number,
    waiter: CounterWaiter,
    index: number,
  ): void {
    if (this.#closed) waiter.onCounterError(index, closed);
    else this.#nodeOf(key).add(key, hits, windowSeconds, waiter, index);
  }

  read(key: string, _windowStart: number, _windowSeconds: number, waiter: CounterWaiter, index: number): void {
    if (this.#closed) waiter.onCounterError(index, closed);
    else this.#nodeOf(key).ask('get', key, waiter, index);
  }

  remove(key: string, _windowSeconds: number, waiter: CounterWaiter, index: number): void {
    if (this.#closed) waiter.onCounterError(index, closed);
    else this.#nodeOf(key).ask('del', key, waiter, index);
  }

  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    if (this.#closed) for (const { index } of takes) waiter.onCounterError(index, closed);
    else if (this.#node !== null) this.#node.take(0, takes, allOrNothing, waiter);
    else takeInParts(this.#partsBySlot(this.#cluster!, takes), allOrNothing, waiter);
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  #nodeOf(key: string): RedisNode {
    return this.#node ?? this.#cluster!.nodeOf(hashSlot(key));
  }

  /** A script may touch keys of one slot only. */
  #partsBySlot(cluster: ClusterNodes, takes: readonly Take[]): TakePart[] {
    const bySlot = new Map<number, Take[]>();
    for (const take of takes) {
      const slot = hashSlot(take.key);
      const part = bySlot.get(slot);
      if (part === undefined) bySlot.set(slot, [take]);
      else part.push(take);
    }
    return [...bySlot].map(([slot, part]) => ({
      takes: part,
      store: {
        take: (own, allOrNothing, waiter) => cluster.nodeOf(slot).take(slot, own, allOrNothing, waiter),
      },
    }));
  }
}

const closed = 'redis: the store is closed';
