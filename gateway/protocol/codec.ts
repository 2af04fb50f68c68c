import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import type { HeaderMap } from './headers/header-map.ts';
import type { RequestHead, ResponseHead } from './headers/message-head.ts';

/**
 * What every HTTP codec offers and needs. Codecs are sans-I/O: octets in by `dispatch`, calls out to the sinks below,
 * octets out into one `OutputBuffer`. They know no socket and no clock.
 *
 * Ownership: a chunk given to `dispatch` never changes afterwards, so codecs pass views of it on and sinks may keep them.
 * A chunk given to an encoder must never change afterwards either.
 *
 * Back-pressure: `readDisable` calls are counted (each `true` needs its `false`). `onAboveWriteBufferHighWatermark` says
 * that what was encoded on this stream piles up; its twin `onBelowWriteBufferLowWatermark` says that it has drained.
 */

/** HTTP version on a connection. The strings are Envoy's %PROTOCOL%. */
export type Protocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';

/** Why a stream ended early. Envoy's Http::StreamResetReason. */
export type ResetReason =
  | 'local_reset'
  | 'local_refused_stream_reset'
  | 'remote_reset'
  | 'remote_refused_stream_reset'
  | 'local_connection_failure'
  | 'remote_connection_failure'
  | 'connection_timeout'
  | 'connection_termination'
  | 'overflow'
  | 'connect_error'
  | 'protocol_error';

/** What a codec may do to the connection it serves. */
export interface CodecConnection {
  readonly output: OutputBuffer;
  /** Counted: stops and resumes reading from the socket. */
  readDisable(disable: boolean): void;
}

/** Result of `dispatch`. Anything but `Ok` means: flush what was written (an error reply, a GOAWAY), then close. */
export const DispatchStatus = { Ok: 0, ProtocolError: 1, Flood: 2 } as const;
/** @see DispatchStatus */
export type DispatchStatus = (typeof DispatchStatus)[keyof typeof DispatchStatus];

/** Result of encoding a head. `MissingRequired`: the head cannot be sent (no method, path or status, bad characters). */
export const EncodeStatus = { Ok: 0, MissingRequired: 1, Invalid: 2 } as const;
/** @see EncodeStatus */
export type EncodeStatus = (typeof EncodeStatus)[keyof typeof EncodeStatus];

/** Watermark and reset news about one stream. After `onResetStream` nothing more is called. */
export interface StreamCallbacks {
  /** The stream was reset by the peer, by the codec, or because the connection ended. `details` is a stable short text. */
  onResetStream(reason: ResetReason, details: string): void;
  onAboveWriteBufferHighWatermark(): void;
  onBelowWriteBufferLowWatermark(): void;
}

/** Receives a message body and trailers. `endStream` true, or trailers, end the message: nothing follows. */
export interface MessageSink extends StreamCallbacks {
  /** `chunk` may be empty when `endStream`. */
  decodeData(chunk: Uint8Array, endStream: boolean): void;
  decodeTrailers(trailers: HeaderMap): void;
}

/** Receives one request. Implemented by the connection manager. */
export interface RequestDecoder extends MessageSink {
  decodeHeaders(head: RequestHead, endStream: boolean): void;
  /**
   * The request cannot be accepted: answer with `status` through the stream's encoder (a local reply). The head may
   * never have been complete. The connection closes afterwards for HTTP/1; for HTTP/2 only the stream ends.
   */
  onBadRequest(status: number, details: string): void;
}

/** Receives one response. Implemented by the router and by the asynchronous clients. */
export interface ResponseDecoder extends MessageSink {
  /** An interim (1xx, not 101) response. */
  decodeInformational(head: ResponseHead): void;
  decodeHeaders(head: ResponseHead, endStream: boolean): void;
}

/** The sending side of a stream, common to both directions. */
export interface StreamEncoder {
  /** Identifier on the wire for HTTP/2; a running number for HTTP/1. */
  readonly streamId: number;
  /** Octets encoded on this stream that have not yet been written into the connection's output. */
  readonly bufferedOctets: number;
  /** Octets of the wire form received and sent on this stream, framing included: %BYTES...%. */
  readonly wireOctetsReceived: number;
  readonly wireOctetsSent: number;
  encodeData(chunk: Uint8Array, endStream: boolean): void;
  encodeTrailers(trailers: HeaderMap): void;
  /** Ends the stream at once. For HTTP/1 the connection becomes unusable: its owner closes it. The own sink is not called. */
  resetStream(reason: ResetReason): void;
  /** Counted: stops and resumes delivery to this stream's decoder (and so the peer, by flow control). */
  readDisable(disable: boolean): void;
}

/** Sends one response. */
export interface ResponseEncoder extends StreamEncoder {
  encodeInformational(head: ResponseHead): void;
  encodeHeaders(head: ResponseHead, endStream: boolean): EncodeStatus;
  /** HTTP/1: close the connection when this response is done (adds `connection: close`). No effect on HTTP/2. */
  closeAfterResponse(): void;
}

/** Sends one request. */
export interface RequestEncoder extends StreamEncoder {
  encodeHeaders(head: RequestHead, endStream: boolean): EncodeStatus;
}

/** Common to server and client codecs. */
export interface Codec {
  readonly protocol: Protocol;
  /** Feeds octets read from the socket. Ownership: see the top of this file. */
  dispatch(chunk: Uint8Array): DispatchStatus;
  /** The peer half-closed. Ends a close-delimited response; otherwise resets what is open. */
  onRemoteClose(): void;
  /** The connection is gone: every open stream is reset with `reason`. */
  onConnectionClosed(reason: ResetReason, details: string): void;
  /** HTTP/2: first GOAWAY of a graceful drain, with the highest identifier. HTTP/1: no effect. */
  shutdownNotice(): void;
  /** HTTP/2: final GOAWAY, streams already open go on. HTTP/1: the next response closes the connection. */
  goAway(): void;
  /** HTTP/2: sends PING with an opaque number; `onPingAck` answers. HTTP/1: no effect. */
  ping(): void;
  /** The connection's output is above or again below its watermark: told on to every open stream. */
  onConnectionAboveWriteBufferHighWatermark(): void;
  onConnectionBelowWriteBufferLowWatermark(): void;
  /** Streams that are open. */
  readonly activeStreams: number;
}

/** The server side of one connection. */
export interface ServerCodec extends Codec {
  /**
   * No stream is open and no further one is taken: the owner closes the connection once its output is flushed
   * (`flush_and_delay`: what the peer still sends is discarded). To be looked at in `onStreamComplete`, after `dispatch`
   * and after `goAway`. HTTP/1: a response that said `connection: close` or ended before its request, or a bad request.
   * HTTP/2: a final GOAWAY was sent and the last stream has ended.
   */
  readonly closing: boolean;
}

/** Implemented by the owner of a server codec: the connection manager, the rate-limit service. */
export interface ServerCodecCallbacks {
  /** A stream begins; its decoder gets everything that follows. */
  newStream(encoder: ResponseEncoder): RequestDecoder;
  /** The stream has ended in both directions and was neither reset nor will be: its owner may forget it. */
  onStreamComplete(encoder: ResponseEncoder): void;
  onGoAway(errorCode: number): void;
  onPingAck(): void;
}

/** The client side of one connection. */
export interface ClientCodec extends Codec {
  /** Starts a stream. The owner makes sure that the codec has room (HTTP/1: one at a time; HTTP/2: the peer's limit). */
  newStream(decoder: ResponseDecoder): RequestEncoder;
}

/** Implemented by the owner of a client codec: the connection pools. */
export interface ClientCodecCallbacks {
  /** A stream has ended (complete or reset). `reusable` false: this connection can take no other stream. */
  onStreamClosed(encoder: RequestEncoder, reusable: boolean): void;
  /** The peer announced how many streams it takes at once (SETTINGS_MAX_CONCURRENT_STREAMS). */
  onMaxConcurrentStreams(streams: number): void;
  onGoAway(errorCode: number, lastStreamId: number): void;
  onPingAck(): void;
}
