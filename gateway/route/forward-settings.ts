import type { MirrorPolicy } from '#gateway/api/route.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { readFraction } from '#gateway/config/fraction.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { unpackAnyAs } from '#gateway/proto/registry.ts';
import type { Metadata } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/envoy/config/core/v3/extension_pb.ts';
import type {
  RouteAction,
  RouteAction_RequestMirrorPolicy,
} from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { UriTemplateRewriteConfig } from '#proto-types/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.ts';
import { atPath, type RouteScope } from './compile-context.ts';
import type { ForwardSettings } from './forward-entry.ts';
import { compileHashPolicies } from './hash-policy.ts';
import type { HeaderLayers } from './header-layers.ts';
import { compileHostRewrite } from './host-rewrite.ts';
import { barePath, type PathMatcher, TemplateMatcher } from './path-matcher.ts';
import { compileRegexRewrite, type PathRewrite, prefixRewrite, regexPathRewrite } from './path-rewrite.ts';
import { compileRateLimitRules } from './rate-limit-rule.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { UriTemplateRewrite } from './uri-template.ts';

/** Envoy's default for `timeout`. */
const DEFAULT_TIMEOUT_MS = 15_000;
const TEMPLATE_REWRITE = 'envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig';
/** ClusterNotFoundResponseCode by number. */
const notFoundStatuses: readonly number[] = [503, 404, 500];

/** Compiles a RouteAction but for its cluster. Throws ConfigError with a path relative to the action. */
export function compileForwardSettings(
  action: RouteAction,
  matcher: PathMatcher,
  headers: HeaderLayers,
  scope: RouteScope,
): ForwardSettings {
  const retry = action.retryPolicy ?? scope.retryPolicy;
  const { maxStreamDuration } = action;
  const [upgrades, terminatesConnect] = compileUpgrades(action);
  return {
    clusterNotFoundStatus: notFoundStatuses[action.clusterNotFoundResponseCode] ?? 503,
    priority: action.priority === 1 ? 'high' : 'default',
    timeoutMs: durationMs(action.timeout, DEFAULT_TIMEOUT_MS),
    idleTimeoutMs: durationMs(action.idleTimeout, -1),
    maxStreamDurationMs: durationMs(maxStreamDuration?.maxStreamDuration, -1),
    grpcTimeoutHeaderMaxMs: durationMs(maxStreamDuration?.grpcTimeoutHeaderMax ?? action.maxGrpcTimeout, -1),
    grpcTimeoutHeaderOffsetMs: durationMs(maxStreamDuration?.grpcTimeoutHeaderOffset ?? action.grpcTimeoutOffset, 0),
    retryPolicy: retry === undefined ? null : atPath('retry_policy', () => compileRetryPolicy(retry)),
    rateLimits: compileRateLimitRules(action.rateLimits, 'rate_limits', { server: scope.server, ofFilter: false }),
    includeVirtualHostRateLimits: action.includeVhRateLimits ?? false,
    metadataMatch: subsetMetadata(action.metadataMatch),
    autoHostRewrite: action.hostRewriteSpecifier.case === 'autoHostRewrite' && action.hostRewriteSpecifier.value.value,
    appendXForwardedHost: action.appendXForwardedHost,
    upgrades,
    terminatesConnect,
    hashPolicies: compileHashPolicies(action.hashPolicy),
    pathRewrite: compilePathRewrite(action, matcher),
    hostRewrite: compileHostRewrite(action),
    headers,
    mirrors: (action.requestMirrorPolicies.length > 0 ? action.requestMirrorPolicies : scope.mirrors).map(
      compileMirror,
    ),
  };
}

/** Compiles one `request_mirror_policies` item. */
export function compileMirror(policy: RouteAction_RequestMirrorPolicy): MirrorPolicy {
  return {
    cluster: policy.cluster,
    clusterHeader: policy.clusterHeader.toLowerCase(),
    ...readFraction(policy.runtimeFraction?.defaultValue, policy.runtimeFraction?.runtimeKey),
    keepHost: policy.disableShadowHostSuffixAppend,
    hostRewrite: policy.hostRewriteLiteral,
  };
}

/** The `envoy.lb` part of metadata, or null. */
export function subsetMetadata(metadata: Metadata | undefined): { readonly [key: string]: JsonValue } | null {
  return (metadata?.filterMetadata['envoy.lb'] as { readonly [key: string]: JsonValue } | undefined) ?? null;
}

function compilePathRewrite(action: RouteAction, matcher: PathMatcher): PathRewrite | null {
  const { prefixRewrite: prefix, regexRewrite } = action;
  if (prefix !== '' && regexRewrite !== undefined)
    throw new ConfigError('regex_rewrite', 'only one of prefix_rewrite and regex_rewrite may be set');
  const policy = action.pathRewritePolicy;
  if (policy !== undefined) return templateRewrite(policy, matcher);
  if (regexRewrite !== undefined) return regexPathRewrite(compileRegexRewrite(regexRewrite, 'regex_rewrite'));
  return prefix === '' ? null : prefixRewrite(matcher, prefix);
}

function templateRewrite(policy: TypedExtensionConfig, matcher: PathMatcher): PathRewrite {
  const config = unpackAnyAs<UriTemplateRewriteConfig>(policy.typedConfig, TEMPLATE_REWRITE);
  if (config === null) throw new ConfigError('path_rewrite_policy.typed_config', 'only uri_template is supported yet');
  if (!(matcher instanceof TemplateMatcher))
    throw new ConfigError('path_rewrite_policy', 'unable to use a uri_template rewrite without a uri_template match');
  const { template } = matcher;
  const rewrite = atPath('path_rewrite_policy.typed_config.path_template_rewrite', () => {
    return new UriTemplateRewrite(config.pathTemplateRewrite, template);
  });
  return {
    rewrite(path) {
      const bare = barePath(path);
      return template.rewrite(bare, rewrite) + path.slice(bare.length);
    },
  };
}

function compileUpgrades(action: RouteAction): [ReadonlyMap<string, boolean> | null, boolean] {
  if (action.upgradeConfigs.length === 0) return [null, false];
  const upgrades = new Map<string, boolean>();
  let terminatesConnect = false;
  action.upgradeConfigs.forEach((upgrade, i) => {
    const type = upgrade.upgradeType.toLowerCase();
    if (upgrades.has(type)) throw new ConfigError(`upgrade_configs[${i}]`, `duplicate upgrade ${upgrade.upgradeType}`);
    if (upgrade.connectConfig !== undefined) {
      if (type !== 'connect')
        throw new ConfigError(`upgrade_configs[${i}].connect_config`, 'non-CONNECT upgrade type has a ConnectConfig');
      terminatesConnect = true;
    }
    upgrades.set(type, upgrade.enabled ?? true);
  });
  return [upgrades, terminatesConnect];
}
