import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  ExtAuthz,
  ExtAuthzPerRoute,
} from '#proto-types/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts';
import { createExtAuthzRoute, ExtAuthzConfig } from './ext-authz-config.ts';
import { ExtAuthzFilter } from './ext-authz-filter.ts';

/** envoy.filters.http.ext_authz: an authorization service decides. */
export const extAuthzExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.ext_authz',
  configType: 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
  routeConfigType: 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new ExtAuthzConfig(message as ExtAuthz, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new ExtAuthzFilter(config));
      },
    };
  },
  createRouteConfig(message: Message): unknown {
    return createExtAuthzRoute(message as ExtAuthzPerRoute);
  },
};
