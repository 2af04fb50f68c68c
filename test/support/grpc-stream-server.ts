import type { AddressInfo, Socket } from 'node:net';
import type { RequestDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { GrpcMessageReader } from '#gateway/protocol/grpc/message-reader.ts';
import { frameGrpcMessage } from '#gateway/protocol/grpc/message-writer.ts';
import type { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import { createGrpcTrailers } from '#gateway/protocol/grpc/trailers.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { startH2TestServer } from './h2-test-server.ts';

/** A stream of gRPC messages, as its server sees it. */
export interface GrpcTestCall {
  readonly path: string;
  send(message: Uint8Array): void;
  /** Ends the call with an error. */
  fail(status: GrpcStatus, message: string): void;
}

/** A gRPC server whose every method is a stream both ways. */
export interface GrpcStreamServer {
  readonly port: number;
  /** Every call so far. */
  readonly calls: readonly GrpcTestCall[];
  /** Drops every connection and stops listening. */
  close(): void;
}

class ServedCall implements RequestDecoder, GrpcTestCall {
  path = '';
  readonly #encoder: ResponseEncoder;
  readonly #reader: GrpcMessageReader;
  #failed = false;

  constructor(encoder: ResponseEncoder, onMessage: (call: GrpcTestCall, message: Uint8Array) => void) {
    this.#encoder = encoder;
    this.#reader = new GrpcMessageReader({ onMessage: (message) => onMessage(this, message) }, 1 << 20);
  }

  send(message: Uint8Array): void {
    this.#encoder.encodeData(frameGrpcMessage(message), false);
  }

  fail(status: GrpcStatus, message: string): void {
    this.#failed = true;
    this.#encoder.encodeTrailers(createGrpcTrailers(status, message));
  }

  decodeHeaders(head: RequestHead): void {
    this.path = head.path;
    this.#encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['content-type', 'application/grpc'])), false);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    this.#reader.read(chunk.slice());
    if (endStream) this.decodeTrailers();
  }

  decodeTrailers(): void {
    if (!this.#failed) this.#encoder.encodeTrailers(createGrpcTrailers(0, ''));
  }

  onBadRequest(): void {}
  onResetStream(): void {}
  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}
}

/**
 * Starts one over our own codec, on a free port unless one is given: a client of @grpc/grpc-js in the same process is then the only user of the runtime's HTTP/2,
 * of which Deno's aborts the process when a server's session is shut down after its peer has cancelled a stream.
 */
export async function startGrpcStreamServer(
  onMessage: (call: GrpcTestCall, message: Uint8Array) => void,
  port = 0,
): Promise<GrpcStreamServer> {
  const calls: GrpcTestCall[] = [];
  const sockets = new Set<Socket>();
  const server = await startH2TestServer(
    null,
    {},
    (encoder) => {
      const call = new ServedCall(encoder, onMessage);
      calls.push(call);
      return call;
    },
    port,
  );
  server.on('connection', (socket: Socket) => sockets.add(socket));
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    close(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
