import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResponseEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, type ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { HealthApi } from '#ratelimit/service/grpc-health.ts';
import { GrpcMethods } from '#ratelimit/service/grpc-method.ts';
import { type GrpcServices, GrpcStream } from '#ratelimit/service/grpc-stream.ts';
import { Health } from '#ratelimit/service/health.ts';
import { LimitService } from '#ratelimit/service/limit-service.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';

/** Notes what a stream sends, one line each. */
class NotingEncoder {
  readonly sent: string[] = [];
  encodeHeaders(head: ResponseHead, end: boolean): number {
    const status = head.headers.get('grpc-status');
    const rest = status === null ? '' : ` grpc ${status}: ${head.headers.get('grpc-message')}`;
    this.sent.push(`${head.status}${rest}${end ? ' end' : ''}`);
    return 0;
  }
  encodeData(chunk: Uint8Array): void {
    this.sent.push(`data ${[...chunk].join(' ')}`);
  }
  encodeTrailers(trailers: HeaderMap): void {
    this.sent.push(`trailers ${trailers.get('grpc-status')}`);
  }
}

function open(
  path: string,
  contentType = 'application/grpc',
  method = 'POST',
): { stream: GrpcStream; sent: string[]; health: Health; services: GrpcServices } {
  const stats = new StatsStore();
  const health = new Health(false);
  health.setStore(true);
  const options = { keyPrefix: '', nearLimitRatio: 0.8, quotaMode: false, shadowMode: false, headers: null };
  const limits = new LimitService(
    new RateLimiter(new MemoryStore(systemClock), systemClock, stats, null),
    stats,
    options,
  );
  limits.setConfig({ domains: new Map(), warnings: [] });
  const services = {
    limits,
    health: new HealthApi(health),
    stats,
    clock: systemClock,
    tracing: null,
    methods: new GrpcMethods(),
  };
  const encoder = new NotingEncoder();
  const stream = new GrpcStream(encoder as unknown as ResponseEncoder, services);
  stream.decodeHeaders(new RequestHead(method, path, 'a', 'http', new HeaderMap(['content-type', contentType])), false);
  return { stream, sent: encoder.sent, health, services };
}

const shouldRateLimit = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
/** Domain `d`, one empty descriptor. */
const request = Uint8Array.of(0, 0, 0, 0, 5, 0x0a, 1, 0x64, 0x12, 0);
/** OK, one status OK. */
const reply = ['200', 'data 0 0 0 0 6 8 1 18 2 8 1', 'trailers 0'];

test('a request in one piece, in two and octet by octet', () => {
  for (const size of [request.length, 5, 3, 1]) {
    const { stream, sent } = open(shouldRateLimit);
    for (let at = 0; at < request.length; at += size) {
      const end = Math.min(at + size, request.length);
      stream.decodeData(request.subarray(at, end), end === request.length);
    }
    assert.deepEqual(sent, reply, `pieces of ${size}`);
  }
});

test('the end of the stream may come after the message', () => {
  const { stream, sent } = open(shouldRateLimit);
  stream.decodeData(request, false);
  stream.decodeData(new Uint8Array(0), true);
  assert.deepEqual(sent, reply);
});

test('what is no call is answered as HTTP, what is no method as gRPC', () => {
  assert.deepEqual(open(shouldRateLimit, 'text/plain').sent, ['415 end']);
  assert.deepEqual(open(shouldRateLimit, 'application/grpc', 'GET').sent, ['405 end']);
  assert.deepEqual(open('/a/b').sent, ['200 grpc 12: unknown method /a/b end']);
});

test('messages that are cut, compressed, too large or too many are refused once', () => {
  const cases: readonly [name: string, octets: Uint8Array, status: number][] = [
    ['cut', request.subarray(0, 7), 13],
    ['no frame head', request.subarray(0, 3), 13],
    ['compressed', Uint8Array.of(1, 0, 0, 0, 0), 12],
    ['too large', Uint8Array.of(0, 0, 0x50, 0, 0, 1), 8],
    ['two messages', Uint8Array.of(...request, ...request), 13],
  ];
  for (const [name, octets, status] of cases) {
    const { stream, sent } = open(shouldRateLimit);
    stream.decodeData(octets, false);
    stream.decodeData(new Uint8Array(0), true);
    assert.equal(sent.length, 1, `${name}: ${sent.join(' | ')}`);
    assert.match(sent[0]!, new RegExp(`^200 grpc ${status}: `), name);
  }
});

test('a stream that was reset says nothing more', () => {
  const { stream, sent } = open(shouldRateLimit);
  stream.onResetStream();
  stream.onAnswer(Uint8Array.of(1));
  stream.onAnswerError(2, 'late');
  assert.deepEqual(sent, []);
});

test('Watch tells every change until the stream or the server ends', () => {
  const { stream, sent, health, services } = open('/grpc.health.v1.Health/Watch');
  const name = [...new TextEncoder().encode('ratelimit')];
  stream.decodeData(Uint8Array.of(0, 0, 0, 0, 11, 0x0a, 9, ...name), true);
  health.setStore(false);
  health.setStore(true);
  const [serving, not] = ['data 0 0 0 0 2 8 1', 'data 0 0 0 0 2 8 2'];
  assert.deepEqual(sent, ['200', serving, not, serving]);
  for (const watch of [...services.health.watches]) watch.endWatch();
  health.setStore(false);
  assert.deepEqual(sent.slice(4), ['trailers 14']);
  assert.equal(services.health.watches.size, 0);
});
