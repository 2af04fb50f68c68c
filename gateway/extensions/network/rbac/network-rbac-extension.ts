import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import type { NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { compileAccessEngine } from '#gateway/route/access-rules/access-engine.ts';
import type { RBAC } from '#proto-types/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts';
import { type NetworkRbacConfig, NetworkRbacFilter } from './network-rbac-filter.ts';

/** RBAC.EnforcementType.CONTINUOUS. */
const continuous = 1;

/** envoy.filters.network.rbac: access rules for connections. */
export const networkRbacExtension: NetworkFilterExtension = {
  name: 'envoy.filters.network.rbac',
  configType: 'envoy.extensions.filters.network.rbac.v3.RBAC',
  createFactory(message, { server, diagnostics }): NetworkFilterFactory {
    const rbac = message as RBAC;
    const scope = server.stats.scope(`${rbac.statPrefix}.rbac`);
    const shadow = rbac.shadowRulesStatPrefix === '' ? scope : scope.scope(rbac.shadowRulesStatPrefix);
    const engine = diagnostics.try(() => compileAccessEngine(rbac.rules, 'rules', rbac.matcher, 'matcher'));
    const shadowEngine = diagnostics.try(() =>
      compileAccessEngine(rbac.shadowRules, 'shadow_rules', rbac.shadowMatcher, 'shadow_matcher'),
    );
    const config: NetworkRbacConfig = {
      engine: engine ?? null,
      shadowEngine: shadowEngine ?? null,
      shadowPrefix: rbac.shadowRulesStatPrefix,
      continuous: (rbac.enforcementType as number) === continuous,
      delayDenyMs: durationMs(rbac.delayDeny, 0),
      timers: server.timers,
      allowed: scope.counter('allowed'),
      denied: scope.counter('denied'),
      shadowAllowed: shadow.counter('shadow_allowed'),
      shadowDenied: shadow.counter('shadow_denied'),
    };
    return { terminal: false, create: () => new NetworkRbacFilter(config) };
  },
};
