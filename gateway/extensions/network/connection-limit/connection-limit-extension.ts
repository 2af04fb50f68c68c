import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import type { NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import { readFeatureFlag } from '#gateway/config/feature-flag.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { ConnectionLimit } from '#proto-types/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts';
import { type ConnectionLimitConfig, ConnectionLimitFilter } from './connection-limit-filter.ts';

/** envoy.filters.network.connection_limit: how many connections a filter chain may have at once. */
export const connectionLimitExtension: NetworkFilterExtension = {
  name: 'envoy.filters.network.connection_limit',
  configType: 'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit',
  createFactory(message, { server, diagnostics }): NetworkFilterFactory {
    const { statPrefix, maxConnections, delay, runtimeEnabled } = message as ConnectionLimit;
    if (maxConnections === undefined) diagnostics.error('max_connections', 'max_connections is required');
    const scope = server.stats.scope(`connection_limit.${statPrefix}`);
    const config: ConnectionLimitConfig = {
      enabled: readFeatureFlag(runtimeEnabled, server.runtime),
      maxConnections: Number(maxConnections ?? 0n),
      delayMs: durationMs(delay, 0),
      timers: server.timers,
      limited: scope.counter('limited_connections'),
      active: scope.gauge('active_connections'),
      open: 0,
    };
    return { terminal: false, create: () => new ConnectionLimitFilter(config) };
  },
};
