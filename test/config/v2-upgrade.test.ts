import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DescMessage, equals, type Message } from '@bufbuild/protobuf';
import { loadMessage } from '#gateway/config/load/load-message.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

interface Case {
  readonly type: string;
  readonly old: string;
  readonly today: string;
  /** Keys warned about, with line and column. */
  readonly warned: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  'hosts, lower-case enums and HTTP options of a cluster': {
    type: 'envoy.config.cluster.v3.Cluster',
    old: `name: service
connect_timeout: 0.25s
type: strict_dns
lb_policy: round_robin
http2_protocol_options: {}
hosts: [{ socket_address: { address: service, port_value: 80 } }]
tls_context: { sni: example.com }
`,
    today: `name: service
connect_timeout: 0.25s
type: STRICT_DNS
lb_policy: ROUND_ROBIN
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": ${TYPE}.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: { http2_protocol_options: {} }
load_assignment:
  cluster_name: service
  endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: service, port_value: 80 } } } }] }]
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config: { "@type": ${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext, sni: example.com }
`,
    warned: ['hosts 6:1', 'tls_context 7:1', 'http2_protocol_options 5:1'],
  },
  'config by the name of a filter, and old names': {
    type: 'envoy.config.listener.v3.FilterChain',
    old: `filters:
- name: envoy.http_connection_manager
  config:
    stat_prefix: x
    route_config: {}
    idle_timeout: 30s
    access_log: [{ name: envoy.file_access_log, config: { path: /dev/stdout } }]
    http_filters: [{ name: envoy.cors }, { name: envoy.router, config: {} }]
`,
    today: `filters:
- name: envoy.filters.network.http_connection_manager
  typed_config:
    "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
    stat_prefix: x
    route_config: {}
    common_http_protocol_options: { idle_timeout: 30s }
    access_log:
    - name: envoy.access_loggers.file
      typed_config: { "@type": ${TYPE}.access_loggers.file.v3.FileAccessLog, path: /dev/stdout }
    http_filters:
    - name: envoy.filters.http.cors
      typed_config: { "@type": ${TYPE}.filters.http.cors.v3.Cors }
    - name: envoy.filters.http.router
      typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router }
`,
    warned: [
      'filters[0].config 3:3',
      'filters[0].name 2:3',
      'filters[0].typed_config.idle_timeout 6:5',
      'filters[0].typed_config.access_log[0].config 7:49',
      'filters[0].typed_config.access_log[0].name 7:20',
      'filters[0].typed_config.http_filters[0].name 8:22',
      'filters[0].typed_config.http_filters[1].config 8:64',
      'filters[0].typed_config.http_filters[1].name 8:44',
    ],
  },
  'a type URL of the v2 API': {
    type: 'envoy.config.listener.v3.Filter',
    old: `name: t
typed_config: { "@type": type.googleapis.com/envoy.config.filter.network.tcp_proxy.v2.TcpProxy, stat_prefix: t, cluster: c }
`,
    today: `name: t
typed_config: { "@type": ${TYPE}.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c }
`,
    warned: ['typed_config.@type 2:17'],
  },
  'a TLS context of a filter chain': {
    type: 'envoy.config.listener.v3.FilterChain',
    old: 'tls_context: { require_client_certificate: true }\n',
    today: `transport_socket:
  name: envoy.transport_sockets.tls
  typed_config: { "@type": ${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext, require_client_certificate: true }
`,
    warned: ['tls_context 1:1'],
  },
  'routes: regex, host_rewrite, mirrors, WebSocket': {
    type: 'envoy.config.route.v3.Route',
    old: `match: { regex: "/a.*", headers: [{ name: a, regex_match: "b+" }, { name: c, value: d }] }
route: { cluster: c, host_rewrite: h, request_mirror_policy: { cluster: m }, use_websocket: true }
`,
    today: `match:
  safe_regex: { regex: "/a.*" }
  headers:
  - { name: a, string_match: { safe_regex: { regex: "b+" } } }
  - { name: c, string_match: { exact: d } }
route:
  cluster: c
  host_rewrite_literal: h
  request_mirror_policies: [{ cluster: m }]
  upgrade_configs: [{ upgrade_type: websocket }]
`,
    warned: [
      'match.regex 1:10',
      'match.headers[0].regex_match 1:46',
      'match.headers[1].value 1:78',
      'route.host_rewrite 2:22',
      'route.request_mirror_policy 2:39',
      'route.use_websocket 2:78',
    ],
  },
  'CORS and other settings of filters by route': {
    type: 'envoy.config.route.v3.Route',
    old: `match: { prefix: / }
per_filter_config: { envoy.buffer: { disabled: true } }
route: { cluster: c, cors: { allow_origin: ["*"], enabled: false } }
`,
    today: `match: { prefix: / }
typed_per_filter_config:
  envoy.filters.http.buffer: { "@type": ${TYPE}.filters.http.buffer.v3.BufferPerRoute, disabled: true }
  envoy.filters.http.cors:
    "@type": ${TYPE}.filters.http.cors.v3.CorsPolicy
    allow_origin_string_match: [{ exact: "*" }]
    filter_enabled: { default_value: { numerator: 0 } }
route: { cluster: c }
`,
    warned: [
      'per_filter_config 2:1',
      'route.cors 3:22',
      'typed_per_filter_config["envoy.filters.http.cors"].allow_origin 3:30',
      'typed_per_filter_config["envoy.filters.http.cors"].enabled 3:51',
    ],
  },
  'the access log of the admin interface': {
    type: 'envoy.config.bootstrap.v3.Admin',
    old: 'access_log_path: /dev/null\n',
    today: `access_log:
- name: envoy.access_loggers.file
  typed_config: { "@type": ${TYPE}.access_loggers.file.v3.FileAccessLog, path: /dev/null }
`,
    warned: ['access_log_path 1:1'],
  },
  'the runtime of the bootstrap': {
    type: 'envoy.config.bootstrap.v3.Bootstrap',
    old: 'runtime: { symlink_root: /r, subdirectory: s, base: { a: 1 } }\n',
    today: `layered_runtime:
  layers:
  - { name: base, static_layer: { a: 1 } }
  - { name: root, disk_layer: { symlink_root: /r, subdirectory: s } }
  - { name: admin, admin_layer: {} }
`,
    warned: ['runtime 1:1'],
  },
  'a gRPC source of secrets': {
    type: 'envoy.config.core.v3.ConfigSource',
    old: 'api_config_source: { api_type: GRPC, cluster_names: [sds] }\n',
    today: `resource_api_version: V3
api_config_source: { api_type: GRPC, grpc_services: [{ envoy_grpc: { cluster_name: sds } }] }
`,
    warned: [' 1:1', 'api_config_source.cluster_names 1:38'],
  },
  'names of a peer and a health check': {
    type: 'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext',
    old: 'verify_subject_alt_name: [a.example.com]\n',
    today: 'match_subject_alt_names: [{ exact: a.example.com }]\n',
    warned: ['verify_subject_alt_name 1:1'],
  },
};

function load(
  typeName: string,
  text: string,
): { message: Message; warned: readonly string[]; errors: readonly string[] } {
  const { message, diagnostics } = loadMessage(typeName, text, 'old.yaml', { checks: { rules: true, support: false } });
  return {
    message,
    warned: diagnostics.all
      .filter((one) => one.severity === 'warning')
      .map((one) => `${one.path} ${one.line}:${one.column}`),
    errors: diagnostics.errors.map((one) => `${one.path}: ${one.problem}`),
  };
}

describe('the v2 style is read as v3', () => {
  for (const [name, { type, old, today, warned }] of Object.entries(cases)) {
    test(name, () => {
      const upgraded = load(type, old);
      const expected = load(type, today);
      assert.deepEqual(upgraded.errors, []);
      assert.deepEqual(expected.errors, []);
      assert.deepEqual(expected.warned, [], 'the text in today’s style must need no upgrade');
      const schema = messageSchema(type) as unknown as DescMessage;
      assert.ok(equals(schema, upgraded.message, expected.message, { registry: protoRegistry(), unpackAny: true }));
      assert.deepEqual([...upgraded.warned].sort(), [...warned].sort());
    });
  }

  test('a name without a known type is left to the reader', () => {
    const { errors } = load('envoy.config.listener.v3.Filter', 'name: my.filter\nconfig: {}\n');
    assert.match(errors.join(), /Filter has no field "config"/);
  });
});
