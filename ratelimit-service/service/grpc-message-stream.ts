import type { ResponseEncoder } from '#gateway/protocol/codec.ts';
import type { GrpcMessageSink } from '#gateway/protocol/grpc/message-reader.ts';
import { frameGrpcMessage } from '#gateway/protocol/grpc/message-writer.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import { createGrpcTrailers, createTrailersOnly } from '#gateway/protocol/grpc/trailers.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { CallConnection } from './call-connection.ts';
import type { GrpcHandler, GrpcMethod, GrpcMethods, GrpcSink, StoppableCall } from './grpc-method.ts';
import { HeldMessageReader, HeldReadStatus } from './held-message-reader.ts';

/** A call of a {@link GrpcMethod}: messages in, messages out, and a bound on what a client that does not read makes us hold. */
export class GrpcMessageStream implements GrpcSink, GrpcMessageSink, StoppableCall {
  readonly #encoder: ResponseEncoder;
  readonly #method: GrpcMethod;
  readonly #methods: GrpcMethods;
  readonly #connection: CallConnection | null;
  readonly #reader: HeldMessageReader;
  readonly #handler: GrpcHandler;
  #headSent = false;
  #open = true;
  #clientEnded = false;

  constructor(encoder: ResponseEncoder, method: GrpcMethod, methods: GrpcMethods, connection: CallConnection | null) {
    this.#encoder = encoder;
    this.#method = method;
    this.#methods = methods;
    this.#connection = connection;
    this.#reader = new HeldMessageReader(this, method.maxMessageOctets, connection);
    methods.onOpen(this);
    connection?.keepAlive(true);
    this.#handler = method.open(this);
  }

  get open(): boolean {
    return this.#open;
  }

  get bufferedOctets(): number {
    return this.#encoder.bufferedOctets + (this.#connection?.pendingOctets ?? 0);
  }

  send(message: Uint8Array): boolean {
    if (!this.#open) return false;
    if (this.bufferedOctets + message.length > this.#method.maxBufferedOctets || this.#connection?.full === true) {
      this.#encoder.resetStream('local_reset');
      this.onResetStream();
      return false;
    }
    this.#sendHead();
    this.#encoder.encodeData(frameGrpcMessage(message), false);
    if (this.#connection === null || this.#encoder.bufferedOctets === 0 || this.#connection.onUnread(this.#encoder))
      return true;
    this.onResetStream();
    return false;
  }

  finish(status: number, message: string): void {
    if (!this.#open) return;
    this.#close();
    if (this.#headSent) this.#encoder.encodeTrailers(createGrpcTrailers(status, message));
    else this.#encoder.encodeHeaders(createTrailersOnly(status, message), true);
  }

  readDisable(disable: boolean): void {
    if (this.#open) this.#encoder.readDisable(disable);
  }

  stop(): void {
    if (!this.#open) return;
    this.#handler.onStop();
    this.finish(GrpcStatus.Unavailable, 'the server is stopping');
  }

  onMessage(message: Uint8Array, compressed: boolean): void {
    if (!this.#open) return;
    if (compressed) this.#fail(GrpcStatus.Unimplemented, 'compressed messages are not supported');
    else this.#handler.onMessage(message);
  }

  /** Body octets of the request. */
  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (!this.#open || this.#clientEnded) return;
    const status = this.#reader.read(chunk);
    if (status === HeldReadStatus.TooLarge) this.#fail(GrpcStatus.ResourceExhausted, 'a message is too large');
    else if (status === HeldReadStatus.NoRoom) this.#fail(GrpcStatus.ResourceExhausted, noRoom);
    else if (status !== HeldReadStatus.Ok) this.#fail(GrpcStatus.Internal, 'malformed message head');
    else if (endStream) this.#onEnd();
  }

  /** The client, or its connection, is gone. */
  onResetStream(): void {
    if (!this.#open) return;
    this.#close();
    this.#handler.onReset();
  }

  #onEnd(): void {
    if (!this.#open) return;
    this.#clientEnded = true;
    if (this.#reader.atBoundary) this.#handler.onEnd();
    else this.#fail(GrpcStatus.Internal, 'incomplete message');
  }

  /** The client broke the protocol: the handler hears of it as of a call that is gone. */
  #fail(status: number, message: string): void {
    if (!this.#open) return;
    this.finish(status, message);
    this.#handler.onReset();
  }

  #sendHead(): void {
    if (this.#headSent) return;
    this.#headSent = true;
    this.#encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['content-type', 'application/grpc'])), false);
  }

  #close(): void {
    this.#open = false;
    this.#reader.close();
    this.#methods.onClosed(this);
    this.#connection?.keepAlive(false);
  }
}

/** What a call is told whose connection makes the service hold too much. */
export const noRoom =
  'too much of this connection is held: messages that are not complete, and answers that are not read';
