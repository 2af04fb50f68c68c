import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import grpc from '@grpc/grpc-js';
import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RateLimitRequest } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { type ReceivedSpan, readSpans, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { limitFolder, ownService, type RunningService, startService } from '../support/running-service.ts';

const rules = 'domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day, requests_per_unit: 1 } }]';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';
const service = 'envoy.service.ratelimit.v3.RateLimitService';

/** One call with these headers; answers the gRPC status. */
async function ask(port: number, domain: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const request = createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', {
    domain,
    descriptors: [{ entries: [{ key: 'a', value: '1' }] }, { entries: [{ key: 'b', value: '' }] }],
    hitsAddend: 1,
  });
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        `/${service}/ShouldRateLimit`,
        (octets: Uint8Array) => Buffer.from(octets),
        (octets: Buffer) => octets,
        encodeMessage(request),
        metadata,
        (error) => resolve(error === null ? 0 : error.code),
      );
    });
  } finally {
    client.close();
  }
}

async function askAll({ grpc: port, http }: RunningService): Promise<void> {
  assert.equal(await ask(port, 'd', { traceparent: `00-${traceId}-${parentId}-01`, baggage: 'a=b' }), 0);
  assert.equal(await ask(port, '', { traceparent: `00-${traceId}-${parentId}-01` }), 2);
  // Its caller has decided that there is to be no span.
  assert.equal(await ask(port, 'unsampled', { traceparent: `00-${traceId}-${parentId}-00` }), 0);
  const body = JSON.stringify({ domain: 'd', descriptors: [{ entries: [{ key: 'a', value: 'json' }] }] });
  assert.equal((await fetch(`http://127.0.0.1:${http}/json`, { method: 'POST', body })).status, 200);
}

const tracing = (port: number): Record<string, string> => ({
  TRACING_ENABLED: 'true',
  TRACING_SERVICE_NAME: 'limits',
  TRACING_SERVICE_NAMESPACE: 'edge',
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=me',
  OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
  OTEL_BSP_SCHEDULE_DELAY: '100',
});

/** Spans as lines: name, name of the parent, and what of the attributes both services have. */
function shown(spans: readonly ReceivedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const kept = [
    'domain',
    'request string',
    'pipeline length',
    'perSecondPipeline length',
    'rpc.system',
    'rpc.grpc.status_code',
  ];
  return spans
    .map(({ name, parentId: parent, attributes, status, kind, traceId: trace }) => {
      const of = parent === parentId ? 'the caller' : (byId.get(parent)?.name ?? parent);
      const values = kept.filter((key) => key in attributes).map((key) => `${key}=${attributes[key]}`);
      const text = values.join(' ').replaceAll(/ +/g, ' ');
      return `${name} < ${of} ${trace === traceId} kind ${kind} status ${status} ${text}`;
    })
    .sort();
}

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  'spans by OTLP over HTTP, as the reference sends them',
  async () => {
    const folder = limitFolder({ 'a.yaml': rules });
    const redises = [await startRedis(findPeer('redis-server')!), await startRedis(findPeer('redis-server')!)];
    const receivers = [await startOtlpReceiver(), await startOtlpReceiver()];
    const services: RunningService[] = [];
    const spansOf = async (at: number): Promise<readonly ReceivedSpan[]> => {
      const command = at === 0 ? [findPeer('reference-ratelimit')!] : ownService();
      const env = tracing(receivers[at]!.port);
      services[at] = await startService(command, folder.root, redises[at]!.port, env);
      await askAll(services[at]!);
      await until(
        () => receivers[at]!.spans.some(({ name }) => name.startsWith('NewJson')) && receivers[at]!.spans.length >= 8,
      );
      return receivers[at]!.spans;
    };
    try {
      const theirs = await spansOf(0);
      const ours = await spansOf(1);
      assert.deepEqual(shown(ours), shown(theirs));
      const resource = ours[0]!.resource;
      assert.deepEqual(
        [resource['service.name'], resource['service.namespace'], resource['deployment.environment']],
        ['limits', 'edge', 'test'],
      );
      assert.match(String(resource['service.instance.id']), /^[0-9a-f-]{36}$/);
      assert.equal(receivers[1]!.headers()['x-tenant'], 'me');
      // Spans of the last moment are sent before the process ends.
      const before = ours.length;
      assert.equal(await ask(services[1]!.grpc, 'last', {}), 0);
      assert.equal(await services[1]!.program.stop(), 0);
      assert.ok(receivers[1]!.spans.slice(before).some(({ attributes }) => attributes['domain'] === 'last'));
    } finally {
      for (const { program } of [...services, ...redises]) await program.stop();
      for (const receiver of receivers) receiver.close();
      folder.remove();
    }
  },
);

const memory = { BACKEND_TYPE: 'memory' };

test('B3 headers, sampling, and a collector that is away', async () => {
  const folder = limitFolder({ 'a.yaml': rules });
  const receiver = await startOtlpReceiver();
  const started: RunningService[] = [];
  const start = async (env: Readonly<Record<string, string>>): Promise<RunningService> => {
    const running = await startService(ownService(), folder.root, 1, { ...memory, ...tracing(receiver.port), ...env });
    started.push(running);
    return running;
  };
  try {
    const none = await start({ TRACING_SAMPLING_RATE: '0', TRACING_SERVICE_INSTANCE_ID: 'one' });
    await ask(none.grpc, 'no-parent', {});
    await ask(none.grpc, 'b3-single', { b3: `${traceId}-${parentId}-1` });
    await ask(none.grpc, 'b3-many', { 'x-b3-traceid': traceId, 'x-b3-spanid': parentId, 'x-b3-sampled': '1' });
    await ask(none.grpc, 'w3c', { traceparent: `00-${traceId}-${parentId}-01` });
    await until(() => receiver.spans.some(({ attributes }) => attributes['domain'] === 'w3c'));
    const domains = receiver.spans
      .map(({ attributes }) => attributes['domain'])
      .filter((domain) => domain !== undefined);
    assert.deepEqual(domains.sort(), ['b3-many', 'b3-single', 'w3c']);
    for (const span of receiver.spans) {
      assert.equal(span.traceId, traceId);
      assert.equal(span.resource['service.instance.id'], 'one');
      assert.ok(!span.name.startsWith('Redis'), 'there is no Redis');
    }
    const away = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    for (let i = 0; i < 20; i++) assert.equal(await ask(away.grpc, 'd', {}), 0);
    assert.equal(await away.program.stop(), 0);
  } finally {
    for (const { program } of started) await program.stop();
    receiver.close();
    folder.remove();
  }
});

test('spans by OTLP over gRPC', async () => {
  const spans: ReceivedSpan[] = [];
  const collector = await startGrpcStreamServer((call, message) => {
    assert.equal(call.path, '/opentelemetry.proto.collector.trace.v1.TraceService/Export');
    spans.push(...readSpans(message));
    call.send(new Uint8Array(0));
  });
  const folder = limitFolder({ 'a.yaml': rules });
  const env = { ...memory, ...tracing(collector.port), TRACING_EXPORTER_PROTOCOL: 'grpc' };
  const running = await startService(ownService(), folder.root, 1, env);
  try {
    await ask(running.grpc, 'd', {});
    await until(() => spans.length === 2);
    assert.deepEqual(spans.map(({ name }) => name).sort(), ['ShouldRateLimit Execution', `${service}/ShouldRateLimit`]);
  } finally {
    await running.program.stop();
    collector.close();
    folder.remove();
  }
});
