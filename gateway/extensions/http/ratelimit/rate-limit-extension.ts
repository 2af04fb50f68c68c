import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  RateLimit,
  RateLimitPerRoute,
} from '#proto-types/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts';
import { createRateLimitRouteConfig, RateLimitConfig } from './rate-limit-config.ts';
import { RateLimitFilter } from './rate-limit-filter.ts';

/** envoy.filters.http.ratelimit: global rate limits by a service. */
export const rateLimitExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.ratelimit',
  configType: 'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
  routeConfigType: 'envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new RateLimitConfig(message as RateLimit, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new RateLimitFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return createRateLimitRouteConfig(message as RateLimitPerRoute, context);
  },
};
