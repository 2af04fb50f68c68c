import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { Maglev } from '#proto-types/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts';
import type { RingHash } from '#proto-types/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts';
import type { HashingPolicy } from '../balancer/hash-table.ts';
import { maglev } from '../balancer/maglev.ts';
import { type RingHashOptions, ringHash } from '../balancer/ring-hash.ts';

const defaultMinimumRingSize = 1024;
const defaultMaximumRingSize = 8 * 1024 * 1024;
const defaultTableSize = 65_537;
const murmurHash2 = 2; // RingHash.HashFunction

/** The ring of an `envoy.load_balancing_policies.ring_hash`; `found` is relative to the message. */
export function readRingHash(message: RingHash, found: Diagnostics): HashingPolicy {
  const common = message.consistentHashingLbConfig;
  return checkedRing(
    {
      minimumRingSize: Number(message.minimumRingSize ?? defaultMinimumRingSize),
      maximumRingSize: Number(message.maximumRingSize ?? defaultMaximumRingSize),
      hashFunction: (message.hashFunction as number) === murmurHash2 ? 'murmur_hash_2' : 'xx_hash',
      useHostname: common === undefined ? message.useHostnameForHashing : common.useHostnameForHashing,
      balanceFactor: (common === undefined ? message.hashBalanceFactor : common.hashBalanceFactor) ?? 0,
    },
    found,
  );
}

/** The ring of `lb_policy: RING_HASH`; `found` is relative to the cluster. */
export function readClusterRing(cluster: Cluster, found: Diagnostics): HashingPolicy {
  const config = cluster.lbConfig.case === 'ringHashLbConfig' ? cluster.lbConfig.value : null;
  return checkedRing(
    {
      minimumRingSize: Number(config?.minimumRingSize ?? defaultMinimumRingSize),
      maximumRingSize: Number(config?.maximumRingSize ?? defaultMaximumRingSize),
      hashFunction: (config?.hashFunction as number | undefined) === 1 ? 'murmur_hash_2' : 'xx_hash',
      ...clusterHashing(cluster),
    },
    found.at('ring_hash_lb_config'),
  );
}

/** The table of an `envoy.load_balancing_policies.maglev`; `found` is relative to the message. */
export function readMaglev(message: Maglev, found: Diagnostics): HashingPolicy {
  const common = message.consistentHashingLbConfig;
  return maglev({
    tableSize: checkedTableSize(message.tableSize, found),
    useHostname: common?.useHostnameForHashing === true,
    balanceFactor: common?.hashBalanceFactor ?? 0,
  });
}

/** The table of `lb_policy: MAGLEV`; `found` is relative to the cluster. */
export function readClusterMaglev(cluster: Cluster, found: Diagnostics): HashingPolicy {
  const config = cluster.lbConfig.case === 'maglevLbConfig' ? cluster.lbConfig.value : null;
  return maglev({
    tableSize: checkedTableSize(config?.tableSize, found.at('maglev_lb_config')),
    ...clusterHashing(cluster),
  });
}

function clusterHashing(cluster: Cluster): { useHostname: boolean; balanceFactor: number } {
  const common = cluster.commonLbConfig?.consistentHashingLbConfig;
  return {
    useHostname: common?.useHostnameForHashing === true,
    balanceFactor: common?.hashBalanceFactor ?? 0,
  };
}

function checkedRing(options: RingHashOptions, found: Diagnostics): HashingPolicy {
  const { minimumRingSize: least, maximumRingSize: most } = options;
  if (least > most) {
    found.error('minimum_ring_size', `ring hash: minimum_ring_size (${least}) > maximum_ring_size (${most})`);
  }
  return ringHash(options);
}

function checkedTableSize(size: bigint | undefined, found: Diagnostics): number {
  const value = Number(size ?? defaultTableSize);
  if (isPrime(value)) return value;
  found.error('table_size', 'The table size of maglev must be prime number');
  return defaultTableSize;
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}
