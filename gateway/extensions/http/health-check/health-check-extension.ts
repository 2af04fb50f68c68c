import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileHeaderMatchers } from '#gateway/config/matcher/header-matcher.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { HealthCheck } from '#proto-types/envoy/extensions/filters/http/health_check/v3/health_check_pb.ts';
import { type HealthCheckConfig, HealthCheckFilter } from './health-check-filter.ts';
import { ResponseCache } from './response-cache.ts';

/** envoy.filters.http.health_check: answers health checks of the gateway. */
export const healthCheckExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.health_check',
  configType: 'envoy.extensions.filters.http.health_check.v3.HealthCheck',
  routeConfigType: null,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = compileHealthCheck(message as HealthCheck, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new HealthCheckFilter(config));
      },
    };
  },
  createRouteConfig(): unknown {
    return null;
  },
};

function compileHealthCheck(message: HealthCheck, context: ExtensionContext): HealthCheckConfig {
  const { server } = context;
  const { passThroughMode, cacheTime, clusterMinHealthyPercentages: percentages } = message;
  if (passThroughMode === undefined) throw new ConfigError('pass_through_mode', 'pass_through_mode is required');
  // Envoy counts whole milliseconds: less than one is no caching.
  const cacheMs = Math.trunc(durationMs(cacheTime, 0));
  if (cacheMs > 0 && !passThroughMode) {
    throw new ConfigError('cache_time', 'cache_time must not be set when pass_through_mode is disabled');
  }
  return {
    server,
    passThrough: passThroughMode,
    headers: compileHeaderMatchers(message.headers, 'headers'),
    minimums: Object.entries(percentages).map(([name, { value }]) => ({ name, percent: Math.trunc(value) })),
    cache: cacheMs > 0 ? new ResponseCache(server.clock, cacheMs) : null,
  };
}
