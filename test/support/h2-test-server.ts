import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { OutputBuffer } from '#gateway/base/output-buffer.ts';
import {
  type CodecConnection,
  DispatchStatus,
  type RequestDecoder,
  type ResponseEncoder,
  type ServerCodecCallbacks,
} from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';

/** A key and a certificate in PEM. */
export interface Identity {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}

/** Makes what receives a request and answers it by the encoder. */
export type NewStream = (encoder: ResponseEncoder) => RequestDecoder;

/** Answers 200: to a request with a body with that body and its trailers, to any other with a short text. */
class EchoStream implements RequestDecoder {
  readonly #encoder: ResponseEncoder;
  #echoing = false;

  constructor(encoder: ResponseEncoder) {
    this.#encoder = encoder;
  }

  decodeHeaders(head: RequestHead, endStream: boolean): void {
    const headers = new HeaderMap(['server', 'h2-test', 'content-type', 'text/plain']);
    if (endStream) {
      headers.add('content-length', '6');
      this.#encoder.encodeHeaders(new ResponseHead(200, headers), head.method === 'HEAD');
      if (head.method !== 'HEAD') this.#encoder.encodeData(Buffer.from('hello\n'), true);
      return;
    }
    this.#echoing = true;
    this.#encoder.encodeHeaders(new ResponseHead(200, headers), false);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#echoing) this.#encoder.encodeData(chunk, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#encoder.encodeTrailers(trailers);
  }

  onBadRequest(status: number): void {
    this.#encoder.encodeHeaders(new ResponseHead(status), true);
  }

  onResetStream(): void {}

  onAboveWriteBufferHighWatermark(): void {
    this.#encoder.readDisable(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    this.#encoder.readDisable(false);
  }
}

function serve(socket: Socket, options: Http2Options, newStream: NewStream): void {
  socket.setNoDelay(true);
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    for (const chunk of output.take()) socket.write(chunk);
  };
  const output = new OutputBuffer({
    onOutputPending(): void {
      if (!scheduled) setImmediate(flush);
      scheduled = true;
    },
  });
  const connection: CodecConnection = { output, readDisable() {} };
  const callbacks: ServerCodecCallbacks = {
    newStream,
    onStreamComplete() {},
    onGoAway() {},
    onPingAck() {},
  };
  const codec = new Http2ServerCodec(connection, callbacks, options);
  socket.on('data', (chunk) => {
    if (codec.dispatch(chunk as Buffer) === DispatchStatus.Ok) return;
    flush();
    socket.end();
  });
  socket.on('error', () => {});
  socket.on('close', () => codec.onConnectionClosed('connection_termination', 'closed'));
}

/**
 * An HTTP/2 server over our codec, for other implementations to talk to; over TLS when it has an identity. It echoes
 * unless `newStream` says otherwise.
 */
export async function startH2TestServer(
  identity: Identity | null,
  options: Partial<Http2Options> = {},
  newStream: NewStream = (encoder) => new EchoStream(encoder),
  port: number = Number(process.env['PORT'] ?? 0),
): Promise<Server> {
  const merged: Http2Options = { ...defaultHttp2Options, ...options };
  const onConnection = (socket: Socket): void => serve(socket, merged, newStream);
  const server =
    identity === null
      ? createServer(onConnection)
      : createTlsServer({ ...identity, ALPNProtocols: ['h2'] }, onConnection);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === import.meta.filename) {
  const [, , key, cert] = process.argv;
  const identity = key === undefined ? null : { key: readFileSync(key), cert: readFileSync(cert!) };
  const server = await startH2TestServer(identity);
  console.log(JSON.stringify(server.address()));
}
