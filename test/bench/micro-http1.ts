/**
 * What one HTTP/1.1 head costs: `bun test/bench/micro-http1.ts`. Prints nanoseconds per request parsed and response
 * written by the server codec, and per request written and response parsed by the client codec; best of several rounds.
 */
import { Buffer } from 'node:buffer';
import process from 'node:process';
import { OutputBuffer, releaseSlab } from '#gateway/base/output-buffer.ts';
import type { RequestDecoder, RequestEncoder, ResponseDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { Http1ClientCodec } from '#gateway/protocol/http1/http1-client-codec.ts';
import { Http1ServerCodec } from '#gateway/protocol/http1/http1-server-codec.ts';

const rounds = 8;
const perRound = 100_000;

const requestText =
  'GET /api/v1/items/12345?fields=name,price HTTP/1.1\r\nHost: shop.example.com\r\n' +
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: */*\r\n' +
  'Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n' +
  'X-Request-Id: 6f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f\r\n\r\n';
const responseText =
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nserver: backend\r\n' +
  'date: Tue, 21 Oct 2025 07:28:00 GMT\r\ncache-control: max-age=60\r\netag: "abc123"\r\n\r\nok';

const output = new OutputBuffer({ onOutputPending() {} });
const connection = { output, readDisable() {}, endWrite() {} };
let flushed = 0;

/** Stands for the flush at the end of a turn. */
function flush(): void {
  const { slab } = output;
  flushed += output.takeSegment().length;
  releaseSlab(slab);
}

const ignore = {
  decodeData() {},
  decodeTrailers() {},
  onBadRequest() {},
  onResetStream() {},
  onAboveWriteBufferHighWatermark() {},
  onBelowWriteBufferLowWatermark() {},
};

const responseHead = new ResponseHead(
  200,
  new HeaderMap([
    'content-type',
    'application/json',
    'content-length',
    '2',
    'server',
    'envoy',
    'date',
    'Tue, 21 Oct 2025 07:28:00 GMT',
    'x-envoy-upstream-service-time',
    '3',
    'cache-control',
    'max-age=60',
  ]),
);
const body = new Uint8Array([0x6f, 0x6b]);
let respond = true;

class Exchange implements RequestDecoder {
  readonly encoder: ResponseEncoder;
  head: RequestHead | null = null;
  decodeData = ignore.decodeData;
  decodeTrailers = ignore.decodeTrailers;
  onBadRequest = ignore.onBadRequest;
  onResetStream = ignore.onResetStream;
  onAboveWriteBufferHighWatermark = ignore.onAboveWriteBufferHighWatermark;
  onBelowWriteBufferLowWatermark = ignore.onBelowWriteBufferLowWatermark;

  constructor(encoder: ResponseEncoder) {
    this.encoder = encoder;
  }

  decodeHeaders(head: RequestHead): void {
    this.head = head;
    lastHead = head;
    if (respond) {
      this.encoder.encodeHeaders(responseHead, false);
      this.encoder.encodeData(body, true);
    } else {
      last = this.encoder;
    }
  }
}

let last: ResponseEncoder | null = null;
let lastHead: RequestHead | null = null;

const server = new Http1ServerCodec(connection, {
  newStream: (encoder) => new Exchange(encoder),
  onStreamComplete() {},
  onGoAway() {},
  onPingAck() {},
});

class Answer implements ResponseDecoder {
  decodeInformational = ignore.decodeData;
  decodeData = ignore.decodeData;
  decodeTrailers = ignore.decodeTrailers;
  onResetStream = ignore.onResetStream;
  onAboveWriteBufferHighWatermark = ignore.onAboveWriteBufferHighWatermark;
  onBelowWriteBufferLowWatermark = ignore.onBelowWriteBufferLowWatermark;
  head: ResponseHead | null = null;

  decodeHeaders(head: ResponseHead): void {
    this.head = head;
  }
}

const client = new Http1ClientCodec(connection, {
  onStreamClosed() {},
  onMaxConcurrentStreams() {},
  onGoAway() {},
  onPingAck() {},
});

function ns(from: bigint): number {
  return Number(process.hrtime.bigint() - from) / perRound;
}

const best = { serverBoth: 1e9, serverParse: 1e9, serverWrite: 1e9, clientWrite: 1e9, clientParse: 1e9, relay: 1e9 };
// New chunks as from a socket: the parser must not profit from having seen the same buffer.
const requests = Array.from({ length: 64 }, () => Buffer.from(requestText));
const responses = Array.from({ length: 64 }, () => Buffer.from(responseText));

for (let round = 0; round < rounds; round++) {
  respond = true;
  let start = process.hrtime.bigint();
  for (let i = 0; i < perRound; i++) {
    server.dispatch(requests[i & 63]!);
    flush();
  }
  best.serverBoth = Math.min(best.serverBoth, ns(start));

  respond = false;
  let parsing = 0n;
  let writing = 0n;
  let empty = 0n;
  for (let i = 0; i < perRound; i++) {
    const a = process.hrtime.bigint();
    server.dispatch(requests[i & 63]!);
    const b = process.hrtime.bigint();
    last!.encodeHeaders(responseHead, false);
    last!.encodeData(body, true);
    flush();
    const c = process.hrtime.bigint();
    const d = process.hrtime.bigint();
    parsing += b - a;
    writing += c - b;
    empty += d - c;
  }
  best.serverParse = Math.min(best.serverParse, Number(parsing - empty) / perRound);
  best.serverWrite = Math.min(best.serverWrite, Number(writing - empty) / perRound);

  let sending = 0n;
  let receiving = 0n;
  empty = 0n;
  for (let i = 0; i < perRound; i++) {
    const head = lastHead!;
    const a = process.hrtime.bigint();
    const encoder: RequestEncoder = client.newStream(new Answer());
    encoder.encodeHeaders(head, true);
    flush();
    const b = process.hrtime.bigint();
    client.dispatch(responses[i & 63]!);
    const c = process.hrtime.bigint();
    const d = process.hrtime.bigint();
    sending += b - a;
    receiving += c - b;
    empty += d - c;
  }
  best.clientWrite = Math.min(best.clientWrite, Number(sending - empty) / perRound);
  best.clientParse = Math.min(best.clientParse, Number(receiving - empty) / perRound);

  // All four as in a proxy: the heads that were parsed are the heads that are written.
  start = process.hrtime.bigint();
  for (let i = 0; i < perRound; i++) {
    server.dispatch(requests[i & 63]!);
    const answer = new Answer();
    client.newStream(answer).encodeHeaders(lastHead!, true);
    flush();
    client.dispatch(responses[i & 63]!);
    last!.encodeHeaders(answer.head!, false);
    last!.encodeData(body, true);
    flush();
  }
  best.relay = Math.min(best.relay, ns(start));
}

const report = (what: string, value: number): void =>
  console.log(`${what.padEnd(52)} ${value.toFixed(0).padStart(6)} ns`);
report('server: parse a 6-header GET', best.serverParse);
report('server: write a 6-header response with its body', best.serverWrite);
report('server: both together', best.serverBoth);
report('client: write the parsed request', best.clientWrite);
report('client: parse a 6-header response with its body', best.clientParse);
report('relay: all four', best.relay);
if (flushed === 0) console.log('nothing was written');
