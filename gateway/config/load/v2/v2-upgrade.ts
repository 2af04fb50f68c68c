import type { DescMessage } from '@bufbuild/protobuf';
import { type ProtoRegistry, typeUrlOf } from '#gateway/proto/registry.ts';
import type { Diagnostics } from '../../diagnostics.ts';
import { extensionTypeOf, isTlsName, todaysExtensionName } from '../extension-names.ts';
import { fieldIndex } from '../field-index.ts';
import type { SourceUpgrade } from '../message-reader.ts';
import type { PositionMap } from '../position-map.ts';
import type { MapNode } from '../source-node.ts';
import * as cluster from './cluster-rules.ts';
import { MapEditor, scalar, textOf, typedMap } from './map-editor.ts';
import * as route from './route-rules.ts';
import * as server from './server-rules.ts';
import { isV2Name, successorOf } from './type-names.ts';

type Rule = (editor: MapEditor) => void;

const HCM = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const TLS = 'envoy.extensions.transport_sockets.tls.v3';

/** What is rewritten in the messages of each type. */
const RULES: Readonly<Record<string, Rule>> = {
  'envoy.config.bootstrap.v3.Bootstrap': server.upgradeBootstrap,
  'envoy.config.bootstrap.v3.Admin': server.upgradeAdmin,
  'envoy.config.core.v3.Node': server.upgradeNode,
  'envoy.config.core.v3.ConfigSource': server.upgradeConfigSource,
  'envoy.config.core.v3.ApiConfigSource': server.upgradeApiSource,
  'envoy.config.listener.v3.Listener': server.upgradeListener,
  'envoy.config.listener.v3.FilterChain': server.upgradeFilterChain,
  'envoy.config.listener.v3.FilterChainMatch': (match) => match.rename('sni_domains', 'server_names'),
  [HCM]: server.upgradeConnectionManager,
  [`${HCM}.Tracing`]: server.upgradeTracing,
  'envoy.config.cluster.v3.Cluster': cluster.upgradeCluster,
  'envoy.config.core.v3.HealthCheck.HttpHealthCheck': cluster.upgradeHttpHealthCheck,
  [`${TLS}.CertificateValidationContext`]: cluster.upgradeValidationContext,
  'envoy.config.route.v3.VirtualHost': route.upgradePerFilterHolder,
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': route.upgradePerFilterHolder,
  'envoy.config.route.v3.Route': route.upgradeRoute,
  'envoy.config.route.v3.RouteAction': route.upgradeRouteAction,
  'envoy.config.route.v3.RouteMatch': route.upgradeRegex,
  'envoy.type.matcher.v3.StringMatcher': route.upgradeRegex,
  'envoy.config.route.v3.HeaderMatcher': route.upgradeHeaderMatcher,
  'envoy.config.route.v3.QueryParameterMatcher': route.upgradeValueMatcher,
  'envoy.config.route.v3.CorsPolicy': route.upgradeCors,
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': route.upgradeCors,
  'envoy.extensions.filters.http.health_check.v3.HealthCheck': route.upgradeHealthCheckFilter,
};

/**
 * Reads the v2 style of configuration as v3: moved and renamed fields, `config` told by an extension's name, message types
 * and extension names of old. Each construct is warned about once, at its place.
 */
export class V2Upgrade implements SourceUpgrade {
  readonly #registry: ProtoRegistry;
  readonly #found: Diagnostics;
  readonly #positions: PositionMap;

  constructor(registry: ProtoRegistry, found: Diagnostics, positions: PositionMap) {
    this.#positions = positions;
    this.#registry = registry;
    this.#found = found;
  }

  message(type: DescMessage, node: MapNode, path: string): MapNode {
    const rule = RULES[type.typeName];
    const fields = fieldIndex(type);
    const isExtension = fields.has('typed_config') && fields.has('name');
    if (rule === undefined && !isExtension) return node;
    const editor = new MapEditor(node, {
      path,
      found: this.#found.at(path),
      positions: this.#positions,
    });
    if (isExtension) upgradeExtension(editor, fields.has('config'));
    rule?.(editor);
    return editor.changed ? editor.node : node;
  }

  typeName(typeName: string, path: string): string | null {
    if (!isV2Name(typeName)) return null;
    const today = successorOf(this.#registry, typeName);
    if (today !== null) this.#found.warning(path, `${typeName} is from an older version of Envoy: read as ${today}`);
    return today;
  }
}

function upgradeExtension(editor: MapEditor, configIsToday: boolean): void {
  const name = editor.get('name');
  const text = textOf(name?.value) ?? '';
  const config = configIsToday ? undefined : editor.get('config');
  const typeName = extensionTypeOf(text) ?? tlsType(text, editor.place.path);
  if (config !== undefined && typeName !== null) {
    editor.take('config');
    editor.put('typed_config', typedMap(config.at, typeUrlOf(typeName), config.value), config.at);
    editor.warn('config', `typed_config of type ${typeName}`);
  } else if (typeName !== null && isOldName(text) && !hasConfig(editor)) {
    // In the v2 days a name alone was enough.
    editor.put('typed_config', typedMap(name!.at, typeUrlOf(typeName), scalar(name!.at, null)), name!.at);
  }
  const today = todaysExtensionName(text);
  if (today === null || name === undefined) return;
  editor.put('name', scalar(name.value.at, today), name.at);
  editor.place.found.warning('name', `${text} is an older name: read as ${today}`);
}

function isOldName(name: string): boolean {
  return todaysExtensionName(name) !== null;
}

function hasConfig(editor: MapEditor): boolean {
  return ['typed_config', 'config', 'config_discovery'].some((key) => editor.get(key) !== undefined);
}

function tlsType(name: string, path: string): string | null {
  if (!isTlsName(name)) return null;
  return /(?:^|\.)clusters\[\d+\]/.test(path) ? `${TLS}.UpstreamTlsContext` : `${TLS}.DownstreamTlsContext`;
}
