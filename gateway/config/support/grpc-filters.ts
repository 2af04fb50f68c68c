import { type SupportArea, supportArea } from './support-area.ts';

/** The gRPC-Web and gRPC statistics filters. */
export const grpcFilters: SupportArea = supportArea({
  'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb': { implemented: 'all' },
  'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig': { implemented: 'all' },
  'envoy.config.core.v3.GrpcMethodList': { implemented: 'all' },
  'envoy.config.core.v3.GrpcMethodList.Service': { implemented: 'all' },
});
