import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResponseEncoder } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { GrpcMessageStream } from '#ratelimit/service/grpc-message-stream.ts';
import { type GrpcHandler, type GrpcMethod, GrpcMethods, type GrpcSink } from '#ratelimit/service/grpc-method.ts';
import { KeepAlive, keepAliveAnswerMs, keepAliveMs } from '#ratelimit/service/keep-alive.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

class NotingEncoder {
  readonly sent: string[] = [];
  bufferedOctets = 0;
  encodeHeaders(head: ResponseHead, end: boolean): number {
    this.sent.push(`${head.status} ${head.headers.get('grpc-status') ?? ''}${end ? 'end' : ''}`.trim());
    return 0;
  }
  encodeData(chunk: Uint8Array): void {
    this.sent.push(`data ${[...chunk].join(' ')}`);
  }
  encodeTrailers(trailers: HeaderMap): void {
    this.sent.push(`trailers ${trailers.get('grpc-status')} ${trailers.get('grpc-message') ?? ''}`.trim());
  }
  resetStream(): void {
    this.sent.push('reset');
  }
}

/** Answers each message with itself, and notes what it is told. */
class Echo implements GrpcHandler {
  readonly sink: GrpcSink;
  readonly heard: string[] = [];
  constructor(sink: GrpcSink) {
    this.sink = sink;
  }
  onMessage(message: Uint8Array): void {
    this.heard.push([...message].join(' '));
    this.sink.send(message);
  }
  onEnd(): void {
    this.heard.push('end');
    this.sink.finish(0, '');
  }
  onReset(): void {
    this.heard.push('reset');
  }
  onStop(): void {
    this.heard.push('stop');
  }
}

function open(): {
  stream: GrpcMessageStream;
  sent: string[];
  echo: Echo;
  methods: GrpcMethods;
  encoder: NotingEncoder;
} {
  let echo: Echo | null = null;
  const method: GrpcMethod = {
    path: '/a.B/C',
    name: 'C',
    maxMessageOctets: 16,
    maxBufferedOctets: 100,
    open(sink: GrpcSink): GrpcHandler {
      echo = new Echo(sink);
      return echo;
    },
  };
  const methods = new GrpcMethods([method]);
  const encoder = new NotingEncoder();
  const stream = new GrpcMessageStream(encoder as unknown as ResponseEncoder, method, methods, null);
  return { stream, sent: encoder.sent, echo: echo!, methods, encoder };
}

const twoMessages = Uint8Array.of(0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 1, 9);

test('messages pass both ways, whichever way they are cut', () => {
  for (const size of [13, 6, 3, 1]) {
    const { stream, sent, echo, methods } = open();
    assert.equal(methods.openCalls, 1);
    for (let at = 0; at < twoMessages.length; at += size) stream.decodeData(twoMessages.subarray(at, at + size), false);
    stream.decodeData(new Uint8Array(0), true);
    assert.deepEqual(echo.heard, ['7 8', '9', 'end'], `pieces of ${size}`);
    assert.deepEqual(sent, ['200', 'data 0 0 0 0 2 7 8', 'data 0 0 0 0 1 9', 'trailers 0']);
    assert.equal(methods.openCalls, 0);
  }
});

test('messages that are cut, compressed or too large end the call, and the handler hears of it once', () => {
  const cases: readonly [name: string, octets: Uint8Array, status: number][] = [
    ['cut', Uint8Array.of(0, 0, 0, 0, 2, 7), 13],
    ['compressed', Uint8Array.of(1, 0, 0, 0, 1, 7), 12],
    ['bad flags', Uint8Array.of(2, 0, 0, 0, 1, 7), 13],
    ['too large', Uint8Array.of(0, 0, 0, 0, 17, 7), 8],
  ];
  for (const [name, octets, status] of cases) {
    const { stream, sent, echo } = open();
    stream.decodeData(octets, true);
    stream.decodeData(octets, true);
    stream.onResetStream();
    assert.deepEqual(sent, [`200 ${status}end`], name);
    assert.deepEqual(echo.heard, ['reset'], name);
  }
});

test('a client that does not read is reset when too much waits for it', () => {
  const { stream, sent, echo, encoder, methods } = open();
  encoder.bufferedOctets = 99;
  assert.equal(stream.send(Uint8Array.of(1)), true);
  encoder.bufferedOctets = 100;
  assert.equal(stream.send(Uint8Array.of(1)), false);
  assert.deepEqual(sent, ['200', 'data 0 0 0 0 1 1', 'reset']);
  assert.deepEqual(echo.heard, ['reset']);
  assert.equal(stream.send(Uint8Array.of(1)), false);
  assert.equal(methods.openCalls, 0);
});

test('calls that are open end when the server stops', () => {
  const { sent, echo, methods } = open();
  methods.stop();
  assert.deepEqual(echo.heard, ['stop']);
  assert.deepEqual(sent, ['200 14end']);
});

test('a silent connection is asked and then closed, one that speaks is not', () => {
  const time = new VirtualTime();
  const events: string[] = [];
  const kept = new KeepAlive(time.timers, {
    sendPing: () => events.push('ping'),
    onSilent: () => events.push('closed'),
  });
  time.advance(2 * keepAliveMs);
  assert.deepEqual(events, [], 'no call of long life is open');
  kept.count(true);
  kept.onHeard();
  time.advance(keepAliveMs + 100);
  assert.deepEqual(events, []);
  time.advance(keepAliveMs + 100);
  assert.deepEqual(events, ['ping']);
  kept.onHeard(); // the answer
  time.advance(keepAliveAnswerMs + keepAliveMs - 1000);
  assert.deepEqual(events, ['ping'], 'heard again');
  time.advance(2000 + keepAliveAnswerMs);
  assert.deepEqual(events, ['ping', 'ping', 'closed']);
  kept.count(false);
});
