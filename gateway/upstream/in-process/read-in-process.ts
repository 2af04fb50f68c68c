import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { unpackAnyAs } from '#gateway/proto/registry.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { InProcess } from '#proto-types/sluice/clusters/in_process/v1/in_process_pb.ts';
import type { UpstreamServices } from '../upstream-services.ts';

const messageType = 'sluice.clusters.in_process.v1.InProcess';

/** The configuration of a cluster of type `sluice.in_process`; null for every other cluster. */
export function inProcessConfig({ clusterDiscoveryType }: Cluster): InProcess | null {
  if (clusterDiscoveryType.case !== 'clusterType') return null;
  return unpackAnyAs<InProcess>(clusterDiscoveryType.value.typedConfig, messageType);
}

/** Makes the service of a `sluice.in_process` cluster, unstarted. Problems go to `found`; null when there was one. */
export function readInProcess(
  cluster: Cluster,
  config: InProcess,
  services: UpstreamServices,
  found: Diagnostics,
): InProcessInstance | null {
  const why = 'a service in this process has no connections';
  if (cluster.loadAssignment !== undefined)
    found.error('load_assignment', 'a cluster of type sluice.in_process has none');
  if (cluster.transportSocket !== undefined) found.error('transport_socket', why);
  if (cluster.transportSocketMatches.length > 0) found.error('transport_socket_matches', why);
  if (cluster.healthChecks.length > 0) found.error('health_checks', why);
  if (cluster.outlierDetection !== undefined)
    found.error('outlier_detection', 'a cluster of type sluice.in_process has one host');
  if (cluster.upstreamBindConfig !== undefined) found.error('upstream_bind_config', why);
  const at = found.at('cluster_type.typed_config');
  if (services.inProcess === undefined) {
    at.error('service', 'no service can run in this process');
    return null;
  }
  return services.inProcess.create(config, cluster.name, at);
}
