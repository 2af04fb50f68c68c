import type { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Connection } from './connection.ts';
import type { Route } from './route.ts';
import type { SecretSource } from './secrets.ts';
import type { StreamInfo } from './stream-info.ts';
import type { ClusterInfo } from './upstream.ts';

/**
 * What a filter answers to a head.
 * - Continue: the next filter gets it now.
 * - StopIteration: later filters get nothing until `continueDecoding` (encoding); body still comes to this filter.
 * - ContinueAndDontEndStream: as Continue, but the stream goes on: this filter will add a body.
 * - StopAllIterationAndBuffer: nothing more comes to any filter; body is buffered up to the limit (413/500 above it).
 * - StopAllIterationAndWatermark: the same, but above the limit reading is paused instead.
 */
export const FilterHeadersStatus = {
  Continue: 0,
  StopIteration: 1,
  ContinueAndDontEndStream: 2,
  StopAllIterationAndBuffer: 3,
  StopAllIterationAndWatermark: 4,
} as const;
/** @see FilterHeadersStatus */
export type FilterHeadersStatus = (typeof FilterHeadersStatus)[keyof typeof FilterHeadersStatus];

/**
 * What a filter answers to a body chunk.
 * - Continue: on to the next filter (with what was buffered before it).
 * - StopIterationAndBuffer: kept in the stream's buffer; above the limit 413 (request) or 500 (response).
 * - StopIterationAndWatermark: kept; above the limit reading is paused.
 * - StopIterationNoBuffer: dropped, the filter has taken it.
 */
export const FilterDataStatus = {
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationAndWatermark: 2,
  StopIterationNoBuffer: 3,
} as const;
/** @see FilterDataStatus */
export type FilterDataStatus = (typeof FilterDataStatus)[keyof typeof FilterDataStatus];

/** What a filter answers to trailers. */
export const FilterTrailersStatus = { Continue: 0, StopIteration: 1 } as const;
/** @see FilterTrailersStatus */
export type FilterTrailersStatus = (typeof FilterTrailersStatus)[keyof typeof FilterTrailersStatus];

/** Told when the downstream cannot take more, so that the upstream is paused. */
export interface DownstreamWatermarkCallbacks {
  onAboveWriteBufferHighWatermark(): void;
  onBelowWriteBufferLowWatermark(): void;
}

/** A local reply's optional parts. */
export interface LocalReplyOptions {
  /** Adds or changes headers before the reply is sent. */
  readonly modifyHeaders?: ((head: ResponseHead) => void) | undefined;
  /** gRPC status for gRPC requests; from the HTTP status when absent. */
  readonly grpcStatus?: number | undefined;
}

/** What any HTTP filter may ask of the stream it is on. One object per filter and stream. */
export interface StreamFilterCallbacks {
  readonly connection: Connection;
  readonly streamInfo: StreamInfo;
  /** The selected route, or null. Selected on first use, kept until `clearRouteCache`. */
  readonly route: Route | null;
  /** The route's cluster, or null when there is none of that name. */
  readonly clusterInfo: ClusterInfo | null;
  clearRouteCache(): void;
  /** This filter's configuration on the route: most specific of weighted cluster, route, virtual host, route table; or null. */
  routeConfig(): unknown;
  /** The same, from the route table inwards: least specific first. */
  allRouteConfigs(): readonly unknown[];
  readonly requestHead: RequestHead | null;
  readonly responseHead: ResponseHead | null;
  /** Ends the stream abruptly. */
  resetStream(reason: ResetReason, details: string): void;
}

/** What a decoder filter may ask. */
export interface DecoderFilterCallbacks extends StreamFilterCallbacks {
  /** Resumes after a Stop... status; with a sent local reply or a finished stream it does nothing. */
  continueDecoding(): void;
  /** What is buffered of the request body, or null. */
  decodingBuffer(): ByteQueue | null;
  /** Adds body: from decodeHeaders or decodeTrailers. `chunk` must not change afterwards. */
  addDecodedData(chunk: Uint8Array, streaming: boolean): void;
  /**
   * Sends body on to the later filters by itself, head first if that was held back: for filters that take body with
   * StopIterationNoBuffer and change it. `endStream` true ends the request.
   */
  injectDecodedData(chunk: Uint8Array, endStream: boolean): void;
  decoderBufferLimit(): number;
  setDecoderBufferLimit(octets: number): void;
  /** Answers the request here. Goes through local_reply_config and the encoder filters; `details` is a stable short text. */
  sendLocalReply(status: number, body: string | Uint8Array, details: string, options?: LocalReplyOptions): void;
  /** The terminal filter's answer. */
  encodeInformational(head: ResponseHead): void;
  encodeHeaders(head: ResponseHead, endStream: boolean, details: string): void;
  encodeData(chunk: Uint8Array, endStream: boolean): void;
  encodeTrailers(trailers: HeaderMap): void;
  /** The upstream cannot take more: reading from the downstream stream is paused; counted, with its twin. */
  onDecoderFilterAboveWriteBufferHighWatermark(): void;
  onDecoderFilterBelowWriteBufferLowWatermark(): void;
  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void;
  removeDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void;
}

/** What an encoder filter may ask. */
export interface EncoderFilterCallbacks extends StreamFilterCallbacks {
  continueEncoding(): void;
  encodingBuffer(): ByteQueue | null;
  addEncodedData(chunk: Uint8Array, streaming: boolean): void;
  /** The twin of `injectDecodedData` for responses. */
  injectEncodedData(chunk: Uint8Array, endStream: boolean): void;
  /** Ends the response with trailers, after body that was injected without its end. */
  injectEncodedTrailers(trailers: HeaderMap): void;
  /** This filter holds more of the response than it wants to: the upstream is paused; counted, with its twin. */
  onEncoderFilterAboveWriteBufferHighWatermark(): void;
  onEncoderFilterBelowWriteBufferLowWatermark(): void;
  encoderBufferLimit(): number;
  setEncoderBufferLimit(octets: number): void;
  sendLocalReply(status: number, body: string | Uint8Array, details: string, options?: LocalReplyOptions): void;
}

/** Sees the request on its way to the upstream. */
export interface StreamDecoderFilter {
  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void;
  decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus;
  decodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus;
  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus;
  /** The stream is over, however it ended: let go of everything. Called once, also after a reset. */
  onDestroy(): void;
}

/** Sees the response on its way to the client. */
export interface StreamEncoderFilter {
  setEncoderFilterCallbacks(callbacks: EncoderFilterCallbacks): void;
  encodeHeaders(head: ResponseHead, endStream: boolean): FilterHeadersStatus;
  encodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus;
  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus;
  onDestroy(): void;
}

/** Told when the stream is complete, before the access logs are written. */
export interface StreamCompleteListener {
  onStreamComplete(): void;
}

/** Filters of one stream are added through this, in the order of the chain. */
export interface FilterChainBuilder {
  addDecoderFilter(filter: StreamDecoderFilter): void;
  addEncoderFilter(filter: StreamEncoderFilter): void;
  /** Both ways with one object; its `onDestroy` is called once. */
  addFilter(filter: StreamDecoderFilter & StreamEncoderFilter): void;
  addStreamCompleteListener(listener: StreamCompleteListener): void;
}

/** Makes a filter for each stream, from configuration parsed once. Owned by the connection manager's configuration. */
export interface HttpFilterFactory {
  createFilter(chain: FilterChainBuilder): void;
  /** The router is terminal: the last filter, and the only one that may be last. */
  readonly terminal: boolean;
  /** Secrets that streams cannot do without: a listener warms until they are settled. */
  readonly secrets?: readonly SecretSource<unknown>[];
  /** The listener is gone, and the last of its streams: stops following secrets. */
  close?(): void;
}
