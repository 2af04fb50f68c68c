import { Buffer } from 'node:buffer';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { decodeMessage } from '#gateway/proto/registry.ts';
import type { DeltaDiscoveryRequest, DiscoveryRequest } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';

const service = 'envoy.service.secret.v3.SecretDiscoveryService';

/** The service as grpc-js wants it. Responses are encoded already. */
export const sdsService: ServiceDefinition = {
  StreamSecrets: method<DiscoveryRequest>('StreamSecrets', 'envoy.service.discovery.v3.DiscoveryRequest', true),
  DeltaSecrets: method<DeltaDiscoveryRequest>('DeltaSecrets', 'envoy.service.discovery.v3.DeltaDiscoveryRequest', true),
  FetchSecrets: method<DiscoveryRequest>('FetchSecrets', 'envoy.service.discovery.v3.DiscoveryRequest', false),
};

function method<Request extends DiscoveryRequest | DeltaDiscoveryRequest>(
  name: string,
  requestType: Request['$typeName'],
  stream: boolean,
): MethodDefinition<Request, Buffer> {
  return {
    path: `/${service}/${name}`,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: () => Buffer.alloc(0), // of a client, which this is not
    requestDeserialize: (octets) => decodeMessage<Request>(requestType, octets),
    responseSerialize: (octets) => octets,
    responseDeserialize: (octets) => octets,
  };
}
