import type { Message } from '@bufbuild/protobuf';
import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { GoogleGrpcClients } from '#gateway/transport/google-grpc/google-grpc-clients.ts';
import { createGrpcClient } from '#gateway/upstream/client/create-grpc-client.ts';
import { ClusterHttpClient } from '#gateway/upstream/client/http-client.ts';
import { retriedGrpcClient } from '#gateway/upstream/client/retried-grpc-client.ts';
import type { Clusters } from '#gateway/upstream/cluster-manager.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import type { LateParts } from './gateway-context.ts';

/** Stands in for a client whose configuration is refused. */
const unusable: GrpcAsyncClient = {
  unary(_method, _message, _timeoutMs, _metadata, callbacks) {
    callbacks.onFailure(GrpcStatus.Unavailable, 'its configuration is refused');
    return null;
  },
  stream(_method, _metadata, callbacks) {
    callbacks.onClose(GrpcStatus.Unavailable, 'its configuration is refused');
    return { send() {}, endWrite() {}, reset() {} };
  },
};

/** The clients that the gateway's own calls go through. That their clusters exist was checked with the configuration. */
export function createClients(
  tools: Pick<ServerContext, 'timers' | 'random'>,
  clusters: Clusters,
  google: GoogleGrpcClients,
): Pick<LateParts, 'httpClient' | 'grpcClient'> {
  return {
    httpClient: new ClusterHttpClient(clusters, tools.timers),
    grpcClient(message: Message, found: Diagnostics): GrpcAsyncClient {
      const config = message as GrpcService;
      const client =
        config.targetSpecifier.case === 'googleGrpc'
          ? (google.get(config, found) ?? unusable)
          : createGrpcClient(config, clusters, tools.timers, false, found);
      return config.retryPolicy === undefined ? client : retriedGrpcClient(client, config.retryPolicy, tools);
    },
  };
}
