import type { Message } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CircuitBreakerView, ClusterView, ClusterViews, HostView } from '#gateway/api/admin-views.ts';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import type { Cluster } from '#gateway/upstream/cluster.ts';
import type { Clusters } from '#gateway/upstream/cluster-manager.ts';
import type { UpstreamHost } from '#gateway/upstream/host.ts';
import { HostPool } from '#gateway/upstream/pool/host-pool.ts';
import type { BreakerResources } from '#gateway/upstream/resource-manager.ts';
import type { ClustersConfigDump } from '#proto-types/envoy/admin/v3/config_dump_shared_pb.ts';

function breakerView(resources: BreakerResources): CircuitBreakerView {
  return {
    maxConnections: resources.connections.max,
    maxPendingRequests: resources.pendingRequests.max,
    maxRequests: resources.requests.max,
    maxRetries: resources.retries.max,
  };
}

/** Requests that wait for a connection to a host, over all its pools. */
function pendingOf(host: UpstreamHost): number {
  let count = 0;
  for (const pool of [...host.pools, ...(host.namedPools?.values() ?? [])]) {
    if (pool instanceof HostPool) count += pool.pendingCount;
  }
  return count;
}

function hostView(host: UpstreamHost): HostView {
  return {
    host,
    healthFlags: host.healthFlagsText(),
    pendingRequests: pendingOf(host),
    successRate: -1,
    localOriginSuccessRate: -1,
  };
}

/** Clusters as the admin interface shows them. */
export class ServerClusterViews implements ClusterViews {
  readonly #clusters: Clusters;
  readonly #loadedMs: number;

  /** `loadedMs`: when the bootstrap was loaded, wall clock. */
  constructor(clusters: Clusters, loadedMs: number) {
    this.#clusters = clusters;
    this.#loadedMs = loadedMs;
  }

  clusterViews(): readonly ClusterView[] {
    const views: ClusterView[] = [];
    for (const name of [...this.#clusters.names].sort()) {
      const cluster = this.#clusters.get(name);
      if (cluster !== null) views.push(this.#view(name, cluster));
    }
    return views;
  }

  configDump(_includeEds: boolean): readonly Message[] {
    const lastUpdated = timestampFromMs(this.#loadedMs);
    const fixed: unknown[] = [];
    const dynamic: unknown[] = [];
    for (const name of this.#clusters.names) {
      const config = this.#clusters.configOf(name);
      if (config === null) continue;
      const item = { cluster: packAny(config), lastUpdated };
      (this.#clusters.addedViaApi(name) ? dynamic : fixed).push(item);
    }
    return [
      createMessage<ClustersConfigDump>('envoy.admin.v3.ClustersConfigDump', {
        staticClusters: fixed,
        dynamicActiveClusters: dynamic,
      } as object),
    ];
  }

  #view(name: string, cluster: Cluster): ClusterView {
    const { info } = cluster;
    const unknown = {
      successRateAverage: -1,
      successRateEjectionThreshold: -1,
      localOriginSuccessRateAverage: -1,
      localOriginSuccessRateEjectionThreshold: -1,
    };
    return {
      name,
      observabilityName: info.observabilityName,
      edsServiceName: this.#clusters.configOf(name)?.edsClusterConfig?.serviceName ?? '',
      addedViaApi: this.#clusters.addedViaApi(name),
      defaultPriority: breakerView(info.breaker('default')),
      highPriority: breakerView(info.breaker('high')),
      outlier: cluster.outlier === null ? null : unknown,
      hosts: cluster.hosts.map(hostView),
    };
  }
}
