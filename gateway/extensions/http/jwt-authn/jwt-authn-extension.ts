import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  JwtAuthentication,
  PerRouteConfig,
} from '#proto-types/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts';
import { createJwtRouteConfig, JwtAuthnConfig } from './jwt-authn-config.ts';
import { JwtAuthnFilter } from './jwt-authn-filter.ts';

/** envoy.filters.http.jwt_authn: requests need JSON Web Tokens. */
export const jwtAuthnExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.jwt_authn',
  configType: 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
  routeConfigType: 'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new JwtAuthnConfig(message as JwtAuthentication, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new JwtAuthnFilter(config));
      },
    };
  },
  createRouteConfig(message: Message): unknown {
    return createJwtRouteConfig(message as PerRouteConfig);
  },
};
