import type { Message } from '@bufbuild/protobuf';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { FilterConfig } from '#proto-types/envoy/extensions/filters/http/grpc_stats/v3/config_pb.ts';
import { GrpcStatsConfig } from './grpc-stats-config.ts';
import { GrpcStatsFilter } from './grpc-stats-filter.ts';

/** envoy.filters.http.grpc_stats: statistics of gRPC calls. */
export const grpcStatsExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.grpc_stats',
  configType: 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
  routeConfigType: null,
  createFactory(message: Message): HttpFilterFactory {
    const config = new GrpcStatsConfig(message as FilterConfig);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new GrpcStatsFilter(config));
      },
    };
  },
  createRouteConfig(): unknown {
    return null;
  },
};
