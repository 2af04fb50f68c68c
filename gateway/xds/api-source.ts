import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { GoogleGrpcClients } from '#gateway/transport/google-grpc/google-grpc-clients.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { ApiConfigSource } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import { ControlPlaneStats } from './control-plane-stats.ts';
import { DeltaMux } from './delta-mux.ts';
import { SotwMux } from './sotw-mux.ts';
import type { XdsMux } from './xds-watch.ts';

const apiTypeGrpc = 2;
const apiTypeDeltaGrpc = 3;

/** The two methods of a discovery service. */
export interface XdsMethods {
  readonly stateOfTheWorld: string;
  readonly incremental: string;
}

/** Resources of every type on one stream. */
export const aggregatedMethods: XdsMethods = {
  stateOfTheWorld: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
  incremental: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
};

/** Makes a stream; it opens with its first watch. `scope` is where its `control_plane.*` goes. */
export type OpenMux = (scope: Scope) => XdsMux;

/** What every stream to a control plane is made with. */
export interface XdsServices {
  /** Who the gateway tells control planes it is; asked for each request that carries it. */
  readonly node: () => Node;
  readonly google: GoogleGrpcClients;
}

/** Reads an ApiConfigSource: the answer makes streams to it. Problems go to `diagnostics`; null means there were some. */
export function readApiSource(
  api: ApiConfigSource,
  methods: XdsMethods,
  { node, google }: XdsServices,
  server: ServerContext,
  diagnostics: Diagnostics,
): OpenMux | null {
  if (api.apiType !== apiTypeGrpc && api.apiType !== apiTypeDeltaGrpc) {
    diagnostics.error('api_type', 'only GRPC and DELTA_GRPC are supported');
    return null;
  }
  const [service, ...more] = api.grpcServices;
  if (service === undefined || more.length > 0) {
    diagnostics.error('grpc_services', 'exactly one gRPC service is needed');
    return null;
  }
  const openClient = clientOpener(service, google, server, diagnostics.at('grpc_services[0]'));
  if (openClient === null) return null;
  const delta = api.apiType === apiTypeDeltaGrpc;
  return (scope) => {
    const options = {
      target: {
        method: delta ? methods.incremental : methods.stateOfTheWorld,
        openClient,
        rateLimit: api.rateLimitSettings ?? null,
      },
      server,
      stats: new ControlPlaneStats(scope),
      node,
      nodeOnFirstOnly: api.setNodeOnFirstMessageOnly,
    };
    return delta ? new DeltaMux(options) : new SotwMux(options);
  };
}

function clientOpener(
  service: GrpcService,
  google: GoogleGrpcClients,
  server: ServerContext,
  diagnostics: Diagnostics,
): (() => GrpcAsyncClient | null) | null {
  if (service.targetSpecifier.case === 'googleGrpc') {
    const client = google.get(service, diagnostics);
    return client === null ? null : () => client;
  }
  if (service.targetSpecifier.case === undefined) {
    diagnostics.error('', 'envoy_grpc or google_grpc is required');
    return null;
  }
  // Through a cluster, which may come after what asks for it: looked for when it is needed.
  return () => {
    const found = new Diagnostics();
    const client = server.grpcClient(service, found);
    return found.failed ? null : client;
  };
}
