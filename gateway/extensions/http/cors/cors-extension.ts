import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { CorsPolicy } from '#proto-types/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { type CorsConfig, CorsFilter } from './cors-filter.ts';
import { compileCorsPolicy } from './cors-policy.ts';

/** envoy.filters.http.cors: cross-origin resource sharing, by the policies of routes and virtual hosts. */
export const corsExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.cors',
  configType: 'envoy.extensions.filters.http.cors.v3.Cors',
  routeConfigType: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
  createFactory(_message: Message, context: ExtensionContext): HttpFilterFactory {
    const { runtime, random } = context.server;
    const stats = context.scope.scope('cors');
    const config: CorsConfig = {
      runtime,
      random,
      originValid: stats.counter('origin_valid'),
      originInvalid: stats.counter('origin_invalid'),
    };
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new CorsFilter(config));
      },
    };
  },
  createRouteConfig(message: Message): unknown {
    return compileCorsPolicy(message as CorsPolicy);
  },
};
