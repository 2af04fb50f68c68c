import { typeUrlOf } from '#gateway/proto/registry.ts';
import { isNull, type SourceNode } from '../source-node.ts';
import { upgradeTlsContext } from './cluster-rules.ts';
import { itemsOf, list, type MapEditor, map, scalar, textOf, typedMap } from './map-editor.ts';

const FILE_LOG = 'envoy.extensions.access_loggers.file.v3.FileAccessLog';
const DOWNSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';

/** `runtime` of the bootstrap became layers. */
export function upgradeBootstrap(bootstrap: MapEditor): void {
  const runtime = bootstrap.take('runtime');
  if (runtime === undefined) return;
  const { at, value } = runtime;
  const field = (key: string): SourceNode | undefined =>
    value.kind === 'map' ? value.entries.find((entry) => entry.key === key)?.value : undefined;
  const layers: SourceNode[] = [];
  const base = field('base');
  if (base !== undefined) layers.push(map(at, { name: scalar(at, 'base'), static_layer: base }));
  const root = field('symlink_root');
  for (const [name, key] of [
    ['root', 'subdirectory'],
    ['override', 'override_subdirectory'],
  ] as const) {
    const directory = field(key);
    if (root === undefined || (directory === undefined && name === 'override')) continue;
    const disk: Record<string, SourceNode> = { symlink_root: root };
    if (directory !== undefined) disk['subdirectory'] = directory;
    if (name === 'override') disk['append_service_cluster'] = scalar(at, true);
    layers.push(map(at, { name: scalar(at, name), disk_layer: map(at, disk) }));
  }
  layers.push(map(at, { name: scalar(at, 'admin'), admin_layer: map(at, {}) }));
  bootstrap.put('layered_runtime', map(at, { layers: list(at, layers) }), at);
  bootstrap.warn('runtime', 'layered_runtime');
}

/** `access_log_path` of the admin interface became an access log. */
export function upgradeAdmin(admin: MapEditor): void {
  const path = admin.take('access_log_path');
  if (path === undefined) return;
  const { at } = path;
  if (!isNull(path.value) && textOf(path.value) !== '') {
    const log = map(at, {
      name: scalar(at, 'envoy.access_loggers.file'),
      typed_config: typedMap(at, typeUrlOf(FILE_LOG), map(at, { path: path.value })),
    });
    admin.put('access_log', list(at, [...itemsOf(admin.get('access_log')?.value ?? list(at, [])), log]), at);
  }
  admin.warn('access_log_path', 'access_log');
}

/** `build_version` of the node is made by the gateway itself today. */
export function upgradeNode(node: MapEditor): void {
  if (node.take('build_version') !== undefined) node.warnDropped('build_version');
}

/** `deprecated_v1` of a listener held `bind_to_port` alone. */
export function upgradeListener(listener: MapEditor): void {
  const old = listener.take('deprecated_v1');
  if (old === undefined) return;
  const bind = old.value.kind === 'map' ? old.value.entries.find((entry) => entry.key === 'bind_to_port') : undefined;
  if (bind !== undefined) listener.put('bind_to_port', bind.value, bind.at);
  listener.warn('deprecated_v1', 'bind_to_port');
}

/** Rewrites a filter chain. */
export function upgradeFilterChain(chain: MapEditor): void {
  upgradeTlsContext(chain, DOWNSTREAM_TLS);
}

/** `idle_timeout` of the connection manager moved, and so did what its tracing tagged. */
export function upgradeConnectionManager(manager: MapEditor): void {
  const idle = manager.take('idle_timeout');
  if (idle === undefined) return;
  const common = manager.get('common_http_protocol_options');
  const had = common?.value.kind === 'map' ? common.value.entries : [];
  const entries = [...had, { key: 'idle_timeout', at: idle.at, value: idle.value }];
  manager.put('common_http_protocol_options', { kind: 'map', at: idle.at, entries }, idle.at);
  manager.warn('idle_timeout', 'common_http_protocol_options.idle_timeout');
}

/** `operation_name` and `request_headers_for_tags` of tracing. */
export function upgradeTracing(tracing: MapEditor): void {
  if (tracing.take('operation_name') !== undefined) tracing.warnDropped('operation_name');
  const headers = tracing.take('request_headers_for_tags');
  if (headers === undefined) return;
  const tags = itemsOf(headers.value).map((name) =>
    map(name.at, { tag: name, request_header: map(name.at, { name }) }),
  );
  tracing.put('custom_tags', list(headers.at, tags), headers.at);
  tracing.warn('request_headers_for_tags', 'custom_tags');
}

/** Sources of configuration without a version meant v2, which no server speaks any more. */
export function upgradeConfigSource(source: MapEditor): void {
  if (source.get('resource_api_version') !== undefined || source.node.entries.length === 0) return;
  const { at } = source.node;
  source.put('resource_api_version', scalar(at, 'V3'), at);
  source.place.found.warning('', 'without resource_api_version the v2 API was meant: read as V3');
}

/** `cluster_names` of a gRPC source became gRPC services. */
export function upgradeApiSource(source: MapEditor): void {
  const names = source.get('cluster_names');
  const type = textOf(source.get('api_type')?.value)?.toUpperCase() ?? '';
  if (names === undefined || !type.includes('GRPC')) return;
  source.take('cluster_names');
  const services = itemsOf(names.value).map((name) =>
    map(name.at, { envoy_grpc: map(name.at, { cluster_name: name }) }),
  );
  source.put('grpc_services', list(names.at, services), names.at);
  source.warn('cluster_names', 'grpc_services');
}
