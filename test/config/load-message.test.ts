import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DescMessage } from '@bufbuild/protobuf';
import { Diagnostics, formatDiagnostic } from '#gateway/config/diagnostics.ts';
import { checkMessage } from '#gateway/config/load/check-message.ts';
import { loadBootstrap, loadMessage } from '#gateway/config/load/load-message.ts';
import { createMessage, messageSchema, unpackAny } from '#gateway/proto/registry.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { HttpProtocolOptions } from '#proto-types/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';

const RULES = { checks: { rules: true, support: false } };

function cluster(text: string): Cluster {
  const loaded = loadMessage<Cluster>('envoy.config.cluster.v3.Cluster', text, 'c.yaml', RULES);
  assert.deepEqual(loaded.diagnostics.all.map(formatDiagnostic), []);
  return loaded.message;
}

describe('loadMessage', () => {
  test('reads every kind of value', () => {
    const read = cluster(`
name: a
type: strict_dns
connectTimeout: 0.25s
per_connection_buffer_limit_bytes: 32768
respect_dns_ttl: on
metadata: { filter_metadata: { x: { n: 1, t: "1", b: yes, f: 1.5, z: null, l: [1] } } }
circuit_breakers: { thresholds: { max_connections: "7", priority: HIGH } }
load_assignment:
  cluster_name: a
  endpoints:
    lb_endpoints:
      - load_balancing_weight: 3
        endpoint: { address: { socket_address: { address: h, port_value: 80 } } }
`);
    assert.deepEqual(read.clusterDiscoveryType, { case: 'type', value: 1 });
    assert.equal(read.connectTimeout?.nanos, 250_000_000);
    assert.equal(read.perConnectionBufferLimitBytes, 32_768);
    assert.equal(read.respectDnsTtl, true);
    assert.deepEqual(read.metadata?.filterMetadata['x'], { n: 1, t: '1', b: true, f: '1.5', z: null, l: [1] });
    assert.equal(read.circuitBreakers?.thresholds[0]?.maxConnections, 7);
    assert.equal(read.circuitBreakers?.thresholds[0]?.priority, 1);
    const host = read.loadAssignment?.endpoints[0]?.lbEndpoints[0];
    assert.equal(host?.loadBalancingWeight, 3);
    assert.equal(host?.hostIdentifier.case, 'endpoint');
  });

  test('gives the message in an Any, and the one that a TypedStruct stands for', () => {
    const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
    const url = `type.googleapis.com/${name}`;
    const plain = `{"@type": ${url}, explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 5}}}`;
    const struct = `{"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: ${url}, value: {explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 5}}}}`;
    for (const config of [plain, struct]) {
      const read = cluster(`name: a\ntyped_extension_protocol_options: {x: ${config}}\n`);
      const any = read.typedExtensionProtocolOptions['x']!;
      assert.equal(any.typeUrl, url);
      const options = unpackAny<HttpProtocolOptions>(any).upstreamProtocolOptions;
      assert.equal(options.case, 'explicitHttpConfig');
    }
  });

  test('merges mappings: a key of its own wins over one merged in', () => {
    const loaded = loadMessage<Node>(
      'envoy.config.core.v3.Node',
      'metadata: { base: &b { x: 1, y: 2 }, made: { <<: *b, y: 3 } }\n',
      'n.yaml',
      RULES,
    );
    assert.deepEqual(loaded.message.metadata?.['made'], { x: 1, y: 3 });
  });

  test('a field set twice counts as Envoy counts it, with a warning', () => {
    const loaded = loadMessage<Node>('envoy.config.core.v3.Node', 'id: a\nid: b\n', 'n.yaml', RULES);
    assert.equal(loaded.message.id, 'b');
    assert.deepEqual(loaded.diagnostics.all.map(formatDiagnostic), [
      'n.yaml:2:1: warning: id: set more than once; the last one counts',
    ]);
  });

  test('a name that is a property of every object is an unknown field like any other', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const loaded = loadMessage<Node>('envoy.config.core.v3.Node', `{"${name}": {"x": 1}}`, 'n.json', RULES);
      assert.match(loaded.diagnostics.errors[0]?.problem ?? '', /has no field/);
    }
    const loaded = loadMessage<Node>('envoy.config.core.v3.Node', '{"metadata": {"__proto__": 1}}', 'n.json', RULES);
    assert.deepEqual(Object.keys(loaded.message.metadata ?? {}), ['__proto__']);
  });

  test('aliases that multiply end in an error, not in memory', () => {
    const lines = ['a0: &a0 { lb_endpoints: [{ endpoint: { hostname: x } }] }'];
    let endpoints = 'a0';
    for (let i = 1; i < 8; i++) {
      lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*${endpoints}`).join(', ')}]`);
      endpoints = `a${i}`;
    }
    const text = `name: a\nmetadata: { filter_metadata: { x: { ${lines.slice(0, 3).join(', ')} } } }\n`;
    assert.equal(
      loadMessage<Cluster>('envoy.config.cluster.v3.Cluster', text, 'c.yaml', RULES).diagnostics.failed,
      false,
    );
    const bomb = `metadata: { ${lines.join(', ')} }\n`;
    const loaded = loadMessage<Node>('envoy.config.core.v3.Node', bomb, 'n.yaml', RULES);
    assert.match(loaded.diagnostics.errors.map((one) => one.problem).join(), /more than \d+ values/);
  });

  test('a text nested too deep is refused', () => {
    const text = `{"metadata": ${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`;
    const loaded = loadMessage<Node>('envoy.config.core.v3.Node', text, 'n.json', RULES);
    assert.match(loaded.diagnostics.errors[0]?.problem ?? '', /nested deeper/);
  });
});

describe('places', () => {
  const text = 'static_resources:\n  clusters:\n    - name: a\n      connect_timeout: 1s\n';
  const { diagnostics } = loadBootstrap(text, 'edge.yaml', RULES);

  test('a later check names a path and gets the line', () => {
    diagnostics.at('static_resources.clusters[0]').error('connect_timeout', 'too long');
    assert.equal(
      formatDiagnostic(diagnostics.errors[0]!),
      'edge.yaml:4:7: error: static_resources.clusters[0].connect_timeout: too long',
    );
  });

  test('what is not in the text is placed at what is around it', () => {
    diagnostics.error('static_resources.clusters[0].load_assignment.endpoints[3]', 'missing');
    assert.deepEqual([diagnostics.errors[1]?.line, diagnostics.errors[1]?.column], [3, 7]);
  });
});

describe('checkMessage', () => {
  test('checks messages that came as octets too', () => {
    const found = new Diagnostics();
    const type = messageSchema('envoy.config.cluster.v3.Cluster') as unknown as DescMessage;
    const message = createMessage<Cluster>('envoy.config.cluster.v3.Cluster', {
      name: '',
      connectionPoolPerDownstreamConnection: true,
      transportSocket: { name: 'x', configType: { case: 'typedConfig', value: { typeUrl: 'a/no.such.Type' } } },
    });
    checkMessage(type, message, 'resources[0]', found);
    assert.deepEqual(found.all.map(formatDiagnostic), [
      'error: resources[0].name: must not be empty',
      'error: resources[0].connection_pool_per_downstream_connection: connection_pool_per_downstream_connection is not supported yet',
      'error: resources[0].transport_socket.typed_config: unknown type "a/no.such.Type"',
    ]);
  });
});
