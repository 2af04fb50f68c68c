import { OutputBuffer, releaseSlab } from '#gateway/base/output-buffer.ts';
import type { RequestDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { HpackEncoder } from '#gateway/protocol/hpack/encoder.ts';
import { defaultHttp2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import { frame, prefaceBytes, settings } from '#test/support/h2-frames.ts';

/**
 * Nanoseconds per stream of the HTTP/2 server codec: decode a request head as h2load sends it, encode a response head as
 * an HTTP/1.1 upstream gives it, 64 octets of data and the end. No sockets, no filters. Run: `bun test/bench/micro-http2.ts`.
 */
const batch = 32;
const body = new Uint8Array(64).fill(0x61);
const entries = [
  'content-type',
  'text/plain',
  'content-length',
  '64',
  'date',
  'Sat, 21 Nov 2026 22:00:00 GMT',
  'x-envoy-upstream-service-time',
  '1',
  'server',
  'envoy',
];
let answered = 0;

class Answer implements RequestDecoder {
  readonly #encoder: ResponseEncoder;

  constructor(encoder: ResponseEncoder) {
    this.#encoder = encoder;
  }

  decodeHeaders(): void {
    answered++;
    this.#encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(entries)), false);
    this.#encoder.encodeData(body, true);
  }

  decodeData(): void {}
  decodeTrailers(): void {}
  onBadRequest(): void {}
  onResetStream(): void {}
  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}
}

/** One chunk with `batch` requests on streams from `first` on, as the client's encoder would write them. */
function requests(encoder: HpackEncoder, first: number): Buffer {
  const frames: Buffer[] = [];
  for (let i = 0; i < batch; i++) {
    const block = Buffer.alloc(512);
    encoder.begin(block, 0);
    encoder.field(':method', 'GET');
    encoder.field(':path', '/some/path?with=query');
    encoder.field(':scheme', 'https');
    encoder.field(':authority', '127.0.0.1:10443');
    encoder.field('user-agent', 'h2load nghttp2/1.52.0');
    encoder.field('accept', '*/*');
    frames.push(frame(1, 5, first + 2 * i, block.subarray(0, encoder.end())));
  }
  return Buffer.concat(frames);
}

function run(streams: number): number {
  const output = new OutputBuffer({ onOutputPending() {} });
  const codec = new Http2ServerCodec(
    { output, readDisable() {} },
    { newStream: (encoder) => new Answer(encoder), onStreamComplete() {}, onGoAway() {}, onPingAck() {} },
    defaultHttp2Options,
  );
  codec.dispatch(
    Buffer.concat([prefaceBytes, settings(4, 0x7fffffff), frame(8, 0, 0, Buffer.from('7fff0000', 'hex'))]),
  );
  const encoder = new HpackEncoder(4096, true);
  const chunks: Buffer[] = [];
  for (let done = 0; done < streams; done += batch) chunks.push(requests(encoder, 1 + 2 * done));
  answered = 0;
  const start = performance.now();
  for (const chunk of chunks) {
    codec.dispatch(chunk);
    const taken = output.take();
    for (const each of taken) releaseSlab(new Uint8Array(each.buffer as ArrayBuffer));
  }
  const elapsed = performance.now() - start;
  if (answered !== streams) throw new Error(`${answered} of ${streams} answered`);
  return (elapsed * 1e6) / streams;
}

const streams = 32 * 3000;
let best = Number.POSITIVE_INFINITY;
for (let round = 0; round < 6; round++) best = Math.min(best, run(streams));
console.log(`http2 server codec: ${best.toFixed(0)} ns per stream (head in, head + 64 octets + end out)`);
