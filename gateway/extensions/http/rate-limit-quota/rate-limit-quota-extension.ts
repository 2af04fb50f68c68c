import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  RateLimitQuotaFilterConfig,
  RateLimitQuotaOverride,
} from '#proto-types/envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota_pb.ts';
import { createQuotaOverride, RateLimitQuotaConfig } from './rate-limit-quota-config.ts';
import { RateLimitQuotaFilter } from './rate-limit-quota-filter.ts';

/** envoy.filters.http.rate_limit_quota: global limits without a call per request, by quotas that a service assigns. */
export const rateLimitQuotaExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.rate_limit_quota',
  configType: 'envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig',
  routeConfigType: 'envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaOverride',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new RateLimitQuotaConfig(message as RateLimitQuotaFilterConfig, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new RateLimitQuotaFilter(config));
      },
      close(): void {
        config.clients.close();
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return createQuotaOverride(message as RateLimitQuotaOverride, context);
  },
};
