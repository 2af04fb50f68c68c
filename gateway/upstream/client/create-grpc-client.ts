import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ClusterManager } from '#gateway/api/upstream.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { headerValueText } from '#gateway/config/header-value.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import { ClusterGrpcClient } from './grpc-client.ts';

const defaultMaxMessageOctets = 64 * 1024 * 1024;

/**
 * A client from a GrpcService message with `envoy_grpc`. A cluster that does not exist is a problem only when
 * `clusterMustExist`, since a discovery service may bring it later; google_grpc is not this function's business.
 */
export function createGrpcClient(
  config: GrpcService,
  clusters: ClusterManager,
  timers: Timers,
  clusterMustExist: boolean,
  found: Diagnostics,
): GrpcAsyncClient {
  const target = config.targetSpecifier;
  if (target.case !== 'envoyGrpc') found.error('', 'envoy_grpc is needed here');
  const service = target.case === 'envoyGrpc' ? target.value : null;
  const clusterName = service?.clusterName ?? '';
  if (service !== null && clusterMustExist && clusters.get(clusterName) === null) {
    found.error('envoy_grpc.cluster_name', `Unknown gRPC client cluster '${clusterName}'`);
  }
  return new ClusterGrpcClient(
    {
      clusterName,
      authority: service?.authority || clusterName,
      metadata: config.initialMetadata.flatMap((header) => [header.key.toLowerCase(), headerValueText(header)]),
      timeoutMs: durationMs(config.timeout, 0),
      maxMessageOctets: service?.maxReceiveMessageLength ?? defaultMaxMessageOctets,
    },
    clusters,
    timers,
  );
}
