import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { AdaptiveConcurrency } from '#proto-types/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts';
import { AdaptiveConcurrencyConfig } from './adaptive-concurrency-config.ts';
import { AdaptiveConcurrencyFilter } from './adaptive-concurrency-filter.ts';

/** envoy.filters.http.adaptive_concurrency: as many requests at once as keep the latency low. */
export const adaptiveConcurrencyExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.adaptive_concurrency',
  configType: 'envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency',
  routeConfigType: null,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new AdaptiveConcurrencyConfig(message as AdaptiveConcurrency, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new AdaptiveConcurrencyFilter(config));
      },
    };
  },
  createRouteConfig: () => null,
};
