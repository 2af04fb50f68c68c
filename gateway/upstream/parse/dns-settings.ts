import type { Duration } from '@bufbuild/protobuf/wkt';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { DnsCluster } from '#proto-types/envoy/extensions/clusters/dns/v3/dns_cluster_pb.ts';
import type { DnsSettings } from '../discovery/dns-target.ts';
import type { LookupFamily } from '../discovery/family-lookup.ts';

const defaultRefreshMs = 5000;
// Cluster.DnsLookupFamily: AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED, ALL
const clusterFamilies: readonly LookupFamily[] = ['auto', 'v4_only', 'v6_only', 'v4_preferred', 'all'];
// clusters.common.dns.v3.DnsLookupFamily has UNSPECIFIED in front
const extensionFamilies: readonly LookupFamily[] = ['auto', ...clusterFamilies];

interface RefreshRate {
  readonly baseInterval?: Duration | undefined;
  readonly maxInterval?: Duration | undefined;
}

/** DNS settings in the cluster's own fields. */
export function readClusterDns(config: Cluster): DnsSettings {
  return {
    refreshMs: durationMs(config.dnsRefreshRate, defaultRefreshMs),
    jitterMs: durationMs(config.dnsJitter, 0),
    failureRefreshMs: failureRefresh(config.dnsFailureRefreshRate),
    respectTtl: config.respectDnsTtl,
    family: clusterFamilies[config.dnsLookupFamily as number] ?? 'auto',
  };
}

/** DNS settings of an `envoy.clusters.dns` cluster. */
export function readDnsCluster(config: DnsCluster): DnsSettings {
  return {
    refreshMs: durationMs(config.dnsRefreshRate, defaultRefreshMs),
    jitterMs: durationMs(config.dnsJitter, 0),
    failureRefreshMs: failureRefresh(config.dnsFailureRefreshRate),
    respectTtl: config.respectDnsTtl,
    family: extensionFamilies[config.dnsLookupFamily as number] ?? 'auto',
  };
}

function failureRefresh(rate: RefreshRate | undefined): { base: number; max: number } | null {
  if (rate === undefined) return null;
  const base = durationMs(rate.baseInterval, defaultRefreshMs);
  return { base, max: durationMs(rate.maxInterval, base * 10) };
}
