import type { ClusterManager } from '#gateway/api/upstream.ts';

/** How many of a cluster's hosts must be available. An entry of `cluster_min_healthy_percentages`. */
export interface ClusterMinimum {
  readonly name: string;
  /** Whole percent: Envoy cuts fractions off. */
  readonly percent: number;
}

/** What is answered to a health check, with its detail string. */
export interface HealthVerdict {
  readonly status: number;
  readonly details: string;
}

const ok: HealthVerdict = { status: 200, details: 'health_check_ok' };
const clustersOk: HealthVerdict = { status: 200, details: 'health_check_ok_cluster_healthy' };
const noCluster: HealthVerdict = { status: 503, details: 'health_check_failed_no_cluster_found' };
const emptyCluster: HealthVerdict = { status: 503, details: 'health_check_failed_cluster_empty' };
const unhealthyCluster: HealthVerdict = { status: 503, details: 'health_check_failed_cluster_unhealthy' };

/** Whether all the clusters have enough healthy or degraded hosts. Reads the clusters' membership gauges. */
export function judgeClusters(minimums: readonly ClusterMinimum[], clusters: ClusterManager): HealthVerdict {
  if (minimums.length === 0) return ok;
  for (const { name, percent } of minimums) {
    const cluster = clusters.get(name);
    if (cluster === null) return noCluster;
    const { scope } = cluster.info.stats;
    const total = scope.gauge('membership_total').value;
    if (total === 0) {
      if (percent > 0) return emptyCluster;
      continue;
    }
    const available = scope.gauge('membership_healthy').value + scope.gauge('membership_degraded').value;
    if (100 * available < total * percent) return unhealthyCluster;
  }
  return clustersOk;
}
