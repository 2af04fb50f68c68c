import type { ClusterManager } from '#gateway/api/upstream.ts';
import { nearestName } from '#gateway/base/nearest-name.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';

/**
 * Envoy takes a rate-limit service's cluster that does not exist, and then every call fails; mostly the name is misspelt. So it
 * is taken here too, and said. For filters: their listeners are made when all clusters of the configuration are.
 */
export function warnOfMissingCluster(service: GrpcService, clusters: ClusterManager, found: Diagnostics): void {
  const target = service.targetSpecifier;
  if (target.case !== 'envoyGrpc' || clusters.get(target.value.clusterName) !== null) return;
  const name = target.value.clusterName;
  const problem = `there is no cluster '${name}', so every call fails`;
  found.warning('envoy_grpc.cluster_name', problem, nearestName(name, clusters.names));
}
