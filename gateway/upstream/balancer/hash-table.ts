import type { Host } from '#gateway/api/upstream.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { WeightedHost } from './weighted-hosts.ts';

/** Maps hashes to hosts. Made anew whenever hosts, weights or health change. */
export interface HashTable {
  /** `attempt` counts from 0 and grows when a host was not wanted. Null only without hosts. */
  choose(hash: bigint, attempt: number): Host | null;
}

/** A hashing policy: what makes tables. */
export interface HashingPolicy {
  /** Envoy's name of the policy: `ring_hash`, `maglev`. */
  readonly name: string;
  /** `hash_balance_factor`, percent: how far above the average a host's requests may be; 0: no bound. */
  readonly balanceFactor: number;
  /** `scope` is the cluster's. */
  createTable(hosts: readonly WeightedHost[], scope: Scope): HashTable;
}

/** The text that a host's places in a table come from: `hash_key` of its `envoy.lb` metadata, its hostname or its address. */
export function hostHashKey(host: Host, useHostname: boolean): string {
  const key = host.metadata['envoy.lb']?.['hash_key'];
  if (typeof key === 'string' && key !== '') return key;
  return useHostname ? host.hostname : host.address.text;
}
