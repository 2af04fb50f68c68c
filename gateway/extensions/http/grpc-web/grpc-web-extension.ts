import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import { GrpcWebFilter } from './grpc-web-filter.ts';

/** envoy.filters.http.grpc_web: gRPC-Web for gRPC upstreams. */
export const grpcWebExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.grpc_web',
  configType: 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
  routeConfigType: null,
  createFactory(): HttpFilterFactory {
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new GrpcWebFilter());
      },
    };
  },
  createRouteConfig(): unknown {
    return null;
  },
};
