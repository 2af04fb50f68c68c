import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  BasicAuth,
  BasicAuthPerRoute,
} from '#proto-types/envoy/extensions/filters/http/basic_auth/v3/basic_auth_pb.ts';
import { type BasicAuthConfig, BasicAuthFilter, type BasicAuthRoute } from './basic-auth-filter.ts';
import { readUserList } from './user-file.ts';

/** envoy.filters.http.basic_auth: user names and passwords from an htpasswd list. */
export const basicAuthExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.basic_auth',
  configType: 'envoy.extensions.filters.http.basic_auth.v3.BasicAuth',
  routeConfigType: 'envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const { users, realm, forwardUsernameHeader, authenticationHeader, allowMissing, emitDynamicMetadata } =
      message as BasicAuth;
    const scope = context.scope.scope('basic_auth');
    const config: BasicAuthConfig = {
      users: readUserList(users, context),
      realm,
      forwardUsernameHeader: forwardUsernameHeader.toLowerCase(),
      header: authenticationHeader.toLowerCase() || 'authorization',
      allowMissing,
      emitMetadata: emitDynamicMetadata,
      allowed: scope.counter('allowed'),
      denied: scope.counter('denied'),
    };
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new BasicAuthFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): BasicAuthRoute {
    const { users, realm } = message as BasicAuthPerRoute;
    return { users: readUserList(users, context), realm };
  },
};
