import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { LocalRateLimit } from '#proto-types/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts';
import { LocalRateLimitConfig } from './local-rate-limit-config.ts';
import { LocalRateLimitFilter } from './local-rate-limit-filter.ts';

const configType = 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit';

/** envoy.filters.http.local_ratelimit: token buckets in this process. */
export const localRateLimitExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.local_ratelimit',
  configType,
  routeConfigType: configType,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new LocalRateLimitConfig(message as LocalRateLimit, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new LocalRateLimitFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    const config = message as LocalRateLimit;
    if (config.tokenBucket === undefined)
      context.diagnostics.error('token_bucket', 'local rate limit token bucket must be set for per filter configs');
    return new LocalRateLimitConfig(config, context);
  },
};
