import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import type { NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { warnOfMissingCluster } from '#gateway/upstream/client/warn-of-missing-cluster.ts';
import type { RateLimit } from '#proto-types/envoy/extensions/filters/network/ratelimit/v3/rate_limit_pb.ts';
import { compileDescriptors } from './descriptor-format.ts';
import { type NetworkRateLimitConfig, NetworkRateLimitFilter } from './network-rate-limit-filter.ts';

const defaultTimeoutMs = 20;
const v2 = 1;

/** envoy.filters.network.ratelimit: the rate-limit service is asked about each new connection. */
export const networkRateLimitExtension: NetworkFilterExtension = {
  name: 'envoy.filters.network.ratelimit',
  configType: 'envoy.extensions.filters.network.ratelimit.v3.RateLimit',
  createFactory(message, { server, diagnostics }): NetworkFilterFactory {
    const { statPrefix, domain, descriptors, timeout, failureModeDeny, rateLimitService } = message as RateLimit;
    const scope = server.stats.scope(`ratelimit.${statPrefix}`);
    const service = rateLimitService?.grpcService;
    if ((rateLimitService?.transportApiVersion as number | undefined) === v2)
      diagnostics.error('rate_limit_service.transport_api_version', 'V2 is no longer spoken; only V3 is');
    const at = diagnostics.at('rate_limit_service.grpc_service');
    if (service === undefined) at.error('', 'a grpc_service is needed');
    else warnOfMissingCluster(service, server.clusters, at);
    const config: NetworkRateLimitConfig = {
      domain,
      descriptors: diagnostics.try(() => compileDescriptors(descriptors, 'descriptors')) ?? [],
      timeoutMs: durationMs(timeout, defaultTimeoutMs),
      failureModeDeny,
      client: service === undefined ? null : server.grpcClient(service, at),
      runtime: server.runtime,
      random: server.random,
      stats: {
        total: scope.counter('total'),
        error: scope.counter('error'),
        overLimit: scope.counter('over_limit'),
        ok: scope.counter('ok'),
        failureModeAllowed: scope.counter('failure_mode_allowed'),
        closed: scope.counter('cx_closed'),
        active: scope.gauge('active'),
      },
    };
    return { terminal: false, create: () => new NetworkRateLimitFilter(config) };
  },
};
