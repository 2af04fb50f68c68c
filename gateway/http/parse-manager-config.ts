import type { BlockList } from 'node:net';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny, unpackAnyAs } from '#gateway/proto/registry.ts';
import { compileRouteTable, emptyRouteTable } from '#gateway/route/compile-route-table.ts';
import { compileMutationList, type HeaderMutations } from '#gateway/route/header-mutations.ts';
import { localIpv4Address } from '#gateway/runtime/local-address.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { TypedExtensionConfig } from '#proto-types/envoy/config/core/v3/extension_pb.ts';
import type { HttpConnectionManager } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { HeaderMutation as EarlyMutation } from '#proto-types/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.ts';
import type { UuidRequestIdConfig } from '#proto-types/envoy/extensions/request_id/uuid/v3/uuid_pb.ts';
import { http2ServerStats, readHttp1Options, readHttp2Options, readKeepalive } from './codec-options.ts';
import { DateHeader } from './date-header.ts';
import { compileFilterChain } from './filter-chain-config.ts';
import type { ClientCertOptions, ForwardClientCert } from './forward-client-cert.ts';
import { compileLocalReplies } from './local-replies.ts';
import type { ManagerConfig, ManagerTimeouts, RouteTableSource, UpgradeOptions } from './manager-config.ts';
import { ListenerHttpStats, ManagerStats } from './manager-stats.ts';
import { compileAddressDetections, forwardedForDetection, networksOf } from './original-ip-detection.ts';
import type { EscapedSlashesAction } from './path-normalization.ts';
import type { RequestIdOptions } from './request-id.ts';

/** HttpConnectionManager.CodecType by number; HTTP/3 is refused. */
const codecs: readonly ManagerConfig['codec'][] = ['auto', 'http1', 'http2'];
const serverHeaders = ['overwrite', 'append_if_absent', 'pass_through'] as const;
const clientCertModes: readonly ForwardClientCert[] = [
  'sanitize',
  'forward_only',
  'append_forward',
  'sanitize_set',
  'always_forward_only',
];
/** PathWithEscapedSlashesAction by number; the implementation's own default is to keep. */
const escapedSlashes: readonly EscapedSlashesAction[] = ['keep', 'keep', 'reject', 'redirect', 'forward'];
const UUID_CONFIG = 'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig';
const EARLY_MUTATION = 'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation';

/**
 * Compiles an HttpConnectionManager message. Problems go to `diagnostics`; the answer is of use only when there were none.
 * `listenerScope` is where the listener counts (`listener.<address>`).
 */
export function parseManagerConfig(
  message: HttpConnectionManager,
  server: ServerContext,
  listenerScope: Scope,
  diagnostics: Diagnostics,
): ManagerConfig {
  const { statPrefix } = message;
  const scope = server.stats.scope(`http.${statPrefix}`);
  const { schemeHeaderTransformation: scheme, internalAddressConfig: internal } = message;
  const stats = new ManagerStats(scope);
  const transformation = scheme?.transformation;
  return {
    server,
    statPrefix,
    codec: codecs[message.codecType] ?? 'auto',
    http1: readHttp1Options(message, diagnostics),
    http2: readHttp2Options(message, server.clock),
    http2Stats: http2ServerStats(server.stats.scope('http2')),
    http1Rejected: server.stats.counter('http1.requests_rejected_with_underscores_in_headers'),
    keepalive: readKeepalive(message),
    stats,
    listenerStats: new ListenerHttpStats(listenerScope.scope(`http.${statPrefix}`)),
    routes: readRoutes(message, server, scope, diagnostics),
    chain: compileFilterChain(message.httpFilters, 'http_filters', server, scope, diagnostics),
    upgrades: readUpgrades(message, server, scope, diagnostics),
    accessLogs: message.accessLog.map((log, i) => server.accessLogger(log, diagnostics.at(`access_log[${i}]`))),
    localReplies: compileLocalReplies(message.localReplyConfig, server, diagnostics.at('local_reply_config')),
    timeouts: readTimeouts(message),
    maxRequestsPerConnection: message.commonHttpProtocolOptions?.maxRequestsPerConnection ?? 0,
    date: new DateHeader(server.clock),
    serverName: message.serverName === '' ? 'envoy' : message.serverName,
    serverHeader: serverHeaders[message.serverHeaderTransformation] ?? 'overwrite',
    via: message.via,
    useRemoteAddress: message.useRemoteAddress ?? false,
    trustedHops: message.xffNumTrustedHops,
    skipForwardedForAppend: message.skipXffAppend,
    appendForwardedPort: message.appendXForwardedPort,
    addressDetections: readDetections(message, diagnostics),
    internalNetworks: internal === undefined ? null : internalNetworks(message, diagnostics),
    internalUnixSockets: internal?.unixSockets ?? false,
    localAddress: localIpv4Address(),
    userAgent: message.addUserAgent === true ? server.node.cluster : '',
    requestId: readRequestId(message, diagnostics),
    alwaysSetRequestIdInResponse: message.alwaysSetRequestIdInResponse,
    path: {
      normalize: message.normalizePath ?? false,
      mergeSlashes: message.mergeSlashes,
      escapedSlashes: escapedSlashes[message.pathWithEscapedSlashesAction] ?? 'keep',
    },
    stripHostPort: message.stripMatchingHostPort
      ? 'matching'
      : message.stripPortMode.case === 'stripAnyHostPort' && message.stripPortMode.value
        ? 'any'
        : 'none',
    stripTrailingHostDot: message.stripTrailingHostDot,
    schemeTransformation:
      transformation?.case === 'schemeToOverwrite' ? (transformation.value as 'http' | 'https') : '',
    proxy100Continue: message.proxy100Continue,
    clientCert: readClientCert(message),
    earlyMutations: readEarlyMutations(message.earlyHeaderMutationExtensions, diagnostics),
    streamErrorOnInvalidMessage: message.streamErrorOnInvalidHttpMessage ?? false,
  };
}

function readRoutes(
  message: HttpConnectionManager,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): RouteTableSource {
  const { routeSpecifier: routes } = message;
  if (routes.case === 'routeConfig') {
    return { current: compileRouteTable(routes.value, { server, scope, diagnostics: diagnostics.at('route_config') }) };
  }
  if (routes.case === undefined) diagnostics.error('', 'one of route_config and rds is required');
  else if (routes.case === 'scopedRoutes') diagnostics.error('scoped_routes', 'scoped_routes is not supported yet');
  else diagnostics.error('rds', 'rds is not supported yet');
  return { current: emptyRouteTable('') };
}

function readUpgrades(
  message: HttpConnectionManager,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): ReadonlyMap<string, UpgradeOptions> {
  const upgrades = new Map<string, UpgradeOptions>();
  message.upgradeConfigs.forEach((upgrade, i) => {
    const type = upgrade.upgradeType.toLowerCase();
    const at = diagnostics.at(`upgrade_configs[${i}]`);
    if (upgrades.has(type)) at.error('upgrade_type', `${upgrade.upgradeType} is configured twice`);
    const chain =
      upgrade.filters.length === 0 ? null : compileFilterChain(upgrade.filters, 'filters', server, scope, at);
    upgrades.set(type, { enabled: upgrade.enabled ?? true, chain });
  });
  return upgrades;
}

function readTimeouts(message: HttpConnectionManager): ManagerTimeouts {
  const common = message.commonHttpProtocolOptions;
  return {
    streamIdleMs: durationMs(message.streamIdleTimeout, 300_000),
    requestMs: durationMs(message.requestTimeout, 0),
    requestHeadersMs: durationMs(message.requestHeadersTimeout, 0),
    maxStreamDurationMs: durationMs(common?.maxStreamDuration, 0),
    connectionIdleMs: durationMs(common?.idleTimeout, 3_600_000),
    maxConnectionDurationMs: durationMs(common?.maxConnectionDuration, 0),
    maxConnectionDurationJitter: common?.maxConnectionDurationJitter?.value ?? 0,
    drainJitter: message.drainTimeoutJitter?.value ?? 0,
    drainMs: durationMs(message.drainTimeout, 5000),
    delayedCloseMs: durationMs(message.delayedCloseTimeout, 1000),
  };
}

function readDetections(message: HttpConnectionManager, diagnostics: Diagnostics): ManagerConfig['addressDetections'] {
  const { originalIpDetectionExtensions: extensions, useRemoteAddress, xffNumTrustedHops } = message;
  if (extensions.length === 0) return [forwardedForDetection(xffNumTrustedHops, true)];
  if (useRemoteAddress === true) {
    diagnostics.error(
      'original_ip_detection_extensions',
      'Original IP detection extensions and use_remote_address may not be mixed',
    );
  }
  if (xffNumTrustedHops > 0) {
    diagnostics.error(
      'original_ip_detection_extensions',
      'Original IP detection extensions and xff_num_trusted_hops may not be mixed',
    );
  }
  return compileAddressDetections(extensions, diagnostics);
}

function internalNetworks(message: HttpConnectionManager, diagnostics: Diagnostics): BlockList | null {
  const ranges = message.internalAddressConfig?.cidrRanges ?? [];
  return ranges.length === 0 ? null : networksOf(ranges, diagnostics.at('internal_address_config'));
}

function readRequestId(message: HttpConnectionManager, diagnostics: Diagnostics): RequestIdOptions {
  const { requestIdExtension: extension } = message;
  const uuid = unpackAnyAs<UuidRequestIdConfig>(extension?.typedConfig, UUID_CONFIG);
  if (extension !== undefined && uuid === null) {
    const type = extension.typedConfig === undefined ? 'nothing' : typeNameOf(extension.typedConfig);
    diagnostics.error('request_id_extension.typed_config', `${type} is not supported yet`);
  }
  return {
    generate: message.generateRequestId ?? true,
    keepExternal: message.preserveExternalRequestId,
    packTraceReason: uuid?.packTraceReason ?? true,
  };
}

function readClientCert(message: HttpConnectionManager): ClientCertOptions {
  const details = message.setCurrentClientCertDetails;
  return {
    forward: clientCertModes[message.forwardClientCertDetails] ?? 'sanitize',
    subject: details?.subject ?? false,
    cert: details?.cert ?? false,
    chain: details?.chain ?? false,
    dns: details?.dns ?? false,
    uri: details?.uri ?? false,
  };
}

function readEarlyMutations(
  extensions: readonly TypedExtensionConfig[],
  diagnostics: Diagnostics,
): readonly (readonly HeaderMutations[])[] {
  return extensions.map(({ typedConfig }, i) => {
    const at = diagnostics.at(`early_header_mutation_extensions[${i}].typed_config`);
    if (typedConfig === undefined || typeNameOf(typedConfig) !== EARLY_MUTATION) {
      at.error('', `${typedConfig === undefined ? 'nothing' : typeNameOf(typedConfig)} is not supported yet`);
      return [];
    }
    const { mutations } = unpackAny<EarlyMutation>(typedConfig);
    return at.try(() => compileMutationList(mutations, 'mutations')) ?? [];
  });
}
