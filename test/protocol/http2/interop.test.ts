import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { DispatchStatus, type ResponseDecoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, type ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { Http2ClientCodec } from '#gateway/protocol/http2/client-codec.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { startH2TestServer } from '#test/support/h2-test-server.ts';

/** Our codecs against the HTTP/2 of the runtime that runs the test. Small windows, so that flow control is at work. */
const windows: Partial<Http2Options> = { initialStreamWindowOctets: 65_535, initialConnectionWindowOctets: 100_000 };
const payload = Buffer.alloc(1_000_003, 'sluice ');

function digest(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex');
}

test('our server with a client of the runtime: bodies both ways at once on many streams', async () => {
  const server = await startH2TestServer(null, windows);
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    maxSessionMemory: 100, // megabytes: all the bodies are queued at once
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const stream = session.request({ ':method': 'POST', ':path': `/${i}`, cookie: ['a=b', 'c=d'] });
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.end(payload.subarray(i));
        await once(stream, 'end');
        return digest(Buffer.concat(chunks)) === digest(payload.subarray(i));
      }),
    );
    assert.deepEqual(answers, new Array(8).fill(true));
    const stream = session.request({ ':path': '/' });
    const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    assert.equal(head[':status'], 200);
    stream.resume();
    await once(stream, 'end');
  } finally {
    session.destroy();
    server.close();
  }
});

/** Our client codec on a socket. */
class SocketClient {
  readonly codec: Http2ClientCodec;
  readonly socket: Socket;
  readonly #output: OutputBuffer;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.#output = new OutputBuffer({ onOutputPending: () => setImmediate(() => this.#flush()) });
    const connection = { output: this.#output, readDisable() {} };
    const owner = { onStreamClosed() {}, onMaxConcurrentStreams() {}, onGoAway() {}, onPingAck() {} };
    this.codec = new Http2ClientCodec(connection, owner, { ...defaultHttp2Options, ...windows });
    this.socket.on('data', (chunk) => assert.equal(this.codec.dispatch(chunk as Buffer), DispatchStatus.Ok));
    this.socket.on('error', () => {});
  }

  #flush(): void {
    for (const chunk of this.#output.take()) this.socket.write(chunk);
  }
}

/** A response that is gathered until it ends. */
class Gathered implements ResponseDecoder {
  readonly done: Promise<void>;
  head: ResponseHead | null = null;
  trailers: HeaderMap | null = null;
  readonly chunks: Uint8Array[] = [];
  #finish: () => void = () => {};

  constructor() {
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  decodeInformational(): void {}

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    this.head = head;
    if (endStream) this.#finish();
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    this.chunks.push(chunk);
    if (endStream) this.#finish();
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.trailers = trailers;
    this.#finish();
  }

  onResetStream(): void {
    this.#finish();
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}
}

test('our client with a server of the runtime: bodies both ways, and trailers', async () => {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'x-echo': headers['x-a'] as string }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-digest': digest(Buffer.concat(chunks)) }));
      stream.end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new SocketClient((server.address() as AddressInfo).port);
  try {
    const responses = Array.from({ length: 10 }, (_, i) => {
      const response = new Gathered();
      const encoder = client.codec.newStream(response);
      const head = new RequestHead('POST', `/${i}`, 'a.test', 'http', new HeaderMap(['x-a', `value ${i}`]));
      encoder.encodeHeaders(head, false);
      for (let at = i; at < payload.length; at += 100_000)
        encoder.encodeData(payload.subarray(at, at + 100_000), false);
      encoder.encodeData(new Uint8Array(0), true);
      return response;
    });
    for (const [i, response] of responses.entries()) {
      await response.done;
      assert.equal(response.head?.status, 200);
      assert.equal(response.head.headers.get('x-echo'), `value ${i}`);
      const expected = digest(payload.subarray(i));
      assert.equal(digest(Buffer.concat(response.chunks)), expected);
      assert.equal(response.trailers?.get('x-digest'), expected);
    }
    assert.equal(client.codec.activeStreams, 0);
  } finally {
    client.socket.destroy();
    server.close();
  }
});
