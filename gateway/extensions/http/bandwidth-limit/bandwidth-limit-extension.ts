import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { BandwidthLimit } from '#proto-types/envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit_pb.ts';
import { BandwidthLimitConfig } from './bandwidth-limit-config.ts';
import { BandwidthLimitFilter } from './bandwidth-limit-filter.ts';

const configType = 'envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit';

/** envoy.filters.http.bandwidth_limit: bodies go at a given pace. */
export const bandwidthLimitExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.bandwidth_limit',
  configType,
  routeConfigType: configType,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new BandwidthLimitConfig(message as BandwidthLimit, context, false);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new BandwidthLimitFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return new BandwidthLimitConfig(message as BandwidthLimit, context, true);
  },
};
