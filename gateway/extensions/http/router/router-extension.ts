import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { Router } from '#proto-types/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { createRouterConfig } from './router-config.ts';
import { RouterFilter } from './router-filter.ts';

/** envoy.filters.http.router: forwards requests. */
export const routerExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.router',
  configType: 'envoy.extensions.filters.http.router.v3.Router',
  routeConfigType: null,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const { server, scope } = context;
    const config = createRouterConfig(message as Router, server, scope);
    return {
      terminal: true,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new RouterFilter(config));
      },
    };
  },
  createRouteConfig(): unknown {
    return null;
  },
};
