import type { Message } from '@bufbuild/protobuf';
import type { GrpcAsyncClient, HttpAsyncClient } from '#gateway/api/async-client.ts';
import type { SecretManager, ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { LateParts } from './gateway-context.ts';

export function createClients(_server: ServerContext): Pick<LateParts, 'httpClient' | 'grpcClient'> {
  return {
    httpClient: {
      send(): null {
        return null;
      },
    } as HttpAsyncClient,
    grpcClient(_config: Message, found: Diagnostics): GrpcAsyncClient {
      found.error('', 'gRPC services are not supported yet');
      return {} as GrpcAsyncClient;
    },
  };
}

export function createSecrets(_server: ServerContext, _bootstrap: Bootstrap): SecretManager {
  return {
    tlsCertificate: () => ({ name: '', current: null, version: 0, subscribe() {}, unsubscribe() {} }),
    validationContext: () => ({ name: '', current: null, version: 0, subscribe() {}, unsubscribe() {} }),
  };
}
