import { typeUrlOf } from '#gateway/proto/registry.ts';
import { isNull, type SourceNode } from '../source-node.ts';
import { isTrue, itemsOf, list, type MapEditor, map, scalar, textOf, typedMap } from './map-editor.ts';

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

/** Rewrites a cluster of the v2 days, and its HTTP options that v3 has moved into an extension. */
export function upgradeCluster(cluster: MapEditor): void {
  upgradeHosts(cluster);
  upgradeTlsContext(cluster, UPSTREAM_TLS);
  upgradeHttpOptions(cluster);
  cluster.rename('drain_connections_on_host_removal', 'ignore_health_on_host_removal');
  if (textOf(cluster.get('lb_policy')?.value)?.toUpperCase() === 'ORIGINAL_DST_LB') {
    const { at } = cluster.get('lb_policy')!;
    cluster.put('lb_policy', scalar(at, 'CLUSTER_PROVIDED'), at);
    cluster.warn('lb_policy', 'CLUSTER_PROVIDED');
  }
}

/** `tls_context` of clusters and filter chains became a transport socket. */
export function upgradeTlsContext(holder: MapEditor, typeName: string): void {
  const entry = holder.take('tls_context');
  if (entry === undefined) return;
  const socket = map(entry.at, {
    name: scalar(entry.at, 'envoy.transport_sockets.tls'),
    typed_config: typedMap(entry.at, typeUrlOf(typeName), entry.value),
  });
  holder.put('transport_socket', socket, entry.at);
  holder.warn('tls_context', 'transport_socket');
}

function upgradeHosts(cluster: MapEditor): void {
  const entry = cluster.take('hosts');
  if (entry === undefined) return;
  if (cluster.get('load_assignment') !== undefined) {
    cluster.warnDropped('hosts');
    return;
  }
  const { at } = entry;
  const hosts = itemsOf(entry.value).map((address) => map(address.at, { endpoint: map(address.at, { address }) }));
  const name = cluster.get('name')?.value ?? scalar(at, '');
  const endpoints = list(at, [map(at, { lb_endpoints: list(at, hosts) })]);
  cluster.put('load_assignment', map(at, { cluster_name: name, endpoints }), at);
  cluster.warn('hosts', 'load_assignment');
}

/** The five fields about HTTP became one extension; a cluster that has the extension keeps it as it is. */
function upgradeHttpOptions(cluster: MapEditor): void {
  const fields = ['http_protocol_options', 'http2_protocol_options', 'common_http_protocol_options'] as const;
  const more = ['upstream_http_protocol_options', 'protocol_selection', 'max_requests_per_connection'] as const;
  const present = [...fields, ...more].filter((name) => cluster.get(name) !== undefined);
  const options = cluster.get('typed_extension_protocol_options');
  if (present.length === 0 || hasHttpOptions(options?.value)) return;
  const at = cluster.get(present[0]!)!.at;
  const values: Record<string, SourceNode> = {};
  const http1 = cluster.take('http_protocol_options');
  const http2 = cluster.take('http2_protocol_options');
  const protocols: Record<string, SourceNode> = {};
  if (http1 !== undefined && !isNull(http1.value)) protocols['http_protocol_options'] = http1.value;
  if (http2 !== undefined && !isNull(http2.value)) protocols['http2_protocol_options'] = http2.value;
  const selection = cluster.take('protocol_selection');
  if (textOf(selection?.value)?.toUpperCase() === 'USE_DOWNSTREAM_PROTOCOL') {
    values['use_downstream_protocol_config'] = map(at, protocols);
  } else {
    // With both, HTTP/2 was the configured protocol.
    const chosen = protocols['http2_protocol_options'];
    const http1Options = protocols['http_protocol_options'] ?? map(at, {});
    const one: Record<string, SourceNode> =
      chosen === undefined ? { http_protocol_options: http1Options } : { http2_protocol_options: chosen };
    values['explicit_http_config'] = map(at, one);
  }
  const common = commonOptions(cluster, at);
  if (common !== null) values['common_http_protocol_options'] = common;
  const upstream = cluster.take('upstream_http_protocol_options');
  if (upstream !== undefined) values['upstream_http_protocol_options'] = upstream.value;
  const extension = typedMap(at, typeUrlOf(HTTP_OPTIONS), map(at, values));
  const had = options?.value.kind === 'map' ? options.value.entries : [];
  const entries = [...had, { key: HTTP_OPTIONS, at, value: extension }];
  cluster.put('typed_extension_protocol_options', { kind: 'map', at, entries }, at);
  for (const name of present) cluster.warn(name, 'typed_extension_protocol_options');
}

function commonOptions(cluster: MapEditor, at: number): SourceNode | null {
  const common = cluster.take('common_http_protocol_options');
  const most = cluster.take('max_requests_per_connection');
  if (most === undefined || isNull(most.value)) return common?.value ?? null;
  const had = common?.value.kind === 'map' ? common.value.entries : [];
  return { kind: 'map', at, entries: [...had, { key: 'max_requests_per_connection', at: most.at, value: most.value }] };
}

function hasHttpOptions(node: SourceNode | undefined): boolean {
  return node?.kind === 'map' && node.entries.some((entry) => entry.key === HTTP_OPTIONS);
}

/** Rewrites an HTTP health check. */
export function upgradeHttpHealthCheck(check: MapEditor): void {
  const http2 = check.take('use_http2');
  if (http2 !== undefined) {
    if (isTrue(http2.value)) check.put('codec_client_type', scalar(http2.at, 'HTTP2'), http2.at);
    check.warn('use_http2', 'codec_client_type');
  }
  const service = check.take('service_name');
  if (service === undefined) return;
  check.put('service_name_matcher', map(service.at, { prefix: service.value }), service.at);
  check.warn('service_name', 'service_name_matcher');
}

/** `verify_subject_alt_name` became a list of matchers. */
export function upgradeValidationContext(context: MapEditor): void {
  const entry = context.take('verify_subject_alt_name');
  if (entry === undefined) return;
  const matchers = itemsOf(entry.value).map((name) => map(name.at, { exact: name }));
  context.put('match_subject_alt_names', list(entry.at, matchers), entry.at);
  context.warn('verify_subject_alt_name', 'match_subject_alt_names');
}
