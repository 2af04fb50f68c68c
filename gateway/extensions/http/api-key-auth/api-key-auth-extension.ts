import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  ApiKeyAuth,
  ApiKeyAuthPerRoute,
} from '#proto-types/envoy/extensions/filters/http/api_key_auth/v3/api_key_auth_pb.ts';
import { createApiKeyAuthConfig, createApiKeyAuthRoute } from './api-key-auth-config.ts';
import { ApiKeyAuthFilter } from './api-key-auth-filter.ts';

/** envoy.filters.http.api_key_auth: clients known by an API key. */
export const apiKeyAuthExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.api_key_auth',
  configType: 'envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth',
  routeConfigType: 'envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = createApiKeyAuthConfig(message as ApiKeyAuth, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new ApiKeyAuthFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return createApiKeyAuthRoute(message as ApiKeyAuthPerRoute, context);
  },
};
