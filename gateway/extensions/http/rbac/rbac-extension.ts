import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { RBAC, RBACPerRoute } from '#proto-types/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts';
import { compileRbacRoute, compileRbacRules, type RbacConfig, RbacStats } from './rbac-config.ts';
import { RbacFilter } from './rbac-filter.ts';

/** envoy.filters.http.rbac: role-based access control. */
export const rbacExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.rbac',
  configType: 'envoy.extensions.filters.http.rbac.v3.RBAC',
  routeConfigType: 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const rbac = message as RBAC;
    const config: RbacConfig = { rules: compileRbacRules(rbac, context), stats: new RbacStats(rbac, context.scope) };
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new RbacFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return compileRbacRoute(message as RBACPerRoute, context);
  },
};
