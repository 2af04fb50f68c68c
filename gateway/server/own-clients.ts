import type { Message } from '@bufbuild/protobuf';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { createGrpcClient } from '#gateway/upstream/client/create-grpc-client.ts';
import { ClusterHttpClient } from '#gateway/upstream/client/http-client.ts';
import type { Clusters } from '#gateway/upstream/cluster-manager.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import type { LateParts } from './gateway-context.ts';

/** The clients that the gateway's own calls go through. That their clusters exist was checked with the configuration. */
export function createClients(
  { timers }: Pick<ServerContext, 'timers'>,
  clusters: Clusters,
): Pick<LateParts, 'httpClient' | 'grpcClient'> {
  return {
    httpClient: new ClusterHttpClient(clusters, timers),
    grpcClient: (config: Message, found: Diagnostics) =>
      createGrpcClient(config as GrpcService, clusters, timers, false, found),
  };
}
