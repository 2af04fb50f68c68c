import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, toJson } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  createMessage,
  decodeMessage,
  encodeMessage,
  enumName,
  messageSchema,
  packAny,
  protoRegistry,
  typeNameOf,
  unpackAny,
  unpackAnyAs,
} from '#gateway/proto/registry.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { Router } from '#proto-types/envoy/extensions/filters/http/router/v3/router_pb.ts';
import type { HealthCheckResponse } from '#proto-types/grpc/health/v1/health_pb.ts';

test('a message survives encoding and decoding', () => {
  const cluster = createMessage<Cluster>('envoy.config.cluster.v3.Cluster', { name: 'app', lbPolicy: 3 });
  const again = decodeMessage<Cluster>('envoy.config.cluster.v3.Cluster', encodeMessage(cluster));
  assert.equal(again.name, 'app');
  assert.equal(enumName('envoy.config.cluster.v3.Cluster.LbPolicy', again.lbPolicy), 'RANDOM');
  assert.equal(enumName('envoy.config.cluster.v3.Cluster.LbPolicy', 99), '99');
});

test('Any is resolved by its type URL in JSON and unpacked once', () => {
  const registry = protoRegistry();
  const json = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
    start_child_span: true,
  };
  const any = fromJson(messageSchema<Any>('google.protobuf.Any'), json, { registry });
  const router = unpackAny<Router>(any);
  assert.equal(router.startChildSpan, true);
  assert.equal(unpackAny(any), router);
  assert.equal(unpackAnyAs<Cluster>(any, 'envoy.config.cluster.v3.Cluster'), null);
  const packed = packAny(router);
  assert.equal(typeNameOf(packed), 'envoy.extensions.filters.http.router.v3.Router');
  assert.deepEqual(toJson(messageSchema('google.protobuf.Any'), packed, { registry }), {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
    startChildSpan: true,
  });
});

test('messages of every origin are there', () => {
  const names = [
    'envoy.service.ratelimit.v3.RateLimitRequest',
    'envoy.service.discovery.v3.DiscoveryRequest',
    'envoy.extensions.filters.http.golang.v3alpha.Config',
    'ratelimit.config.ratelimit.v3.RateLimitConfig',
    'udpa.type.v1.TypedStruct',
    'xds.type.v3.TypedStruct',
    'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
    'envoy.config.listener.v3.FilterChainMatch',
  ];
  for (const name of names) assert.equal(messageSchema(name).typeName, name);
  assert.equal(
    protoRegistry().getService('envoy.service.ratelimit.v3.RateLimitService')?.method['shouldRateLimit']?.name,
    'ShouldRateLimit',
  );
  const health = createMessage<HealthCheckResponse>('grpc.health.v1.HealthCheckResponse', { status: 1 });
  assert.deepEqual(encodeMessage(health), Uint8Array.of(8, 1));
});

test('nested types are found, unknown ones are not', () => {
  assert.equal(messageSchema('envoy.config.cluster.v3.Cluster.LbSubsetConfig').name, 'LbSubsetConfig');
  assert.equal(protoRegistry().getMessage('envoy.config.cluster.v3.Nothing'), undefined);
  assert.equal(protoRegistry().getMessage('envoy.api.v2.Nothing'), undefined);
  assert.throws(() => messageSchema('nothing.at.All'), /nothing\.at\.All/);
});

test('the retired v2 API is there when asked for', () => {
  assert.equal(protoRegistry().getMessage('envoy.api.v2.Listener')?.typeName, 'envoy.api.v2.Listener');
});

test('every file of the current API links', () => {
  let messages = 0;
  for (const type of protoRegistry()) if (type.kind === 'message') messages++;
  assert.ok(messages > 1500, `${messages} messages`);
});
