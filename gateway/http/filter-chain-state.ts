import type { Connection } from '#gateway/api/connection.ts';
import type {
  DownstreamWatermarkCallbacks,
  LocalReplyOptions,
  StreamCompleteListener,
} from '#gateway/api/http-filter.ts';
import type { Route } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import type { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { ActiveFilter } from './active-filter.ts';

/** Bits of what is being called right now. */
export const CallState = {
  DecodeHeaders: 1,
  DecodeData: 2,
  DecodeTrailers: 4,
  Decoding: 7,
  EncodeHeaders: 8,
  EncodeData: 16,
  EncodeTrailers: 32,
  Encoding: 56,
} as const;

/** A local reply that waits for the filter that asked for it to return. */
export interface PendingReply {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly details: string;
  readonly options: LocalReplyOptions | null;
}

const noFilters: ActiveFilter[] = [];

/** What both directions of a stream's filter chain share: heads, trailers, buffers and how far things have gone. */
export abstract class FilterChainState {
  readonly connection: Connection;
  readonly streamInfo: StreamInfo;
  /** In chain order. */
  decoders: ActiveFilter[] = noFilters;
  /** In reverse chain order: the order in which responses pass. */
  encoders: ActiveFilter[] = noFilters;
  completeListeners: StreamCompleteListener[] | null = null;
  requestHead: RequestHead | null = null;
  requestTrailers: HeaderMap | null = null;
  responseHead: ResponseHead | null = null;
  responseTrailers: HeaderMap | null = null;
  decodeBuffer: ByteQueue | null = null;
  encodeBuffer: ByteQueue | null = null;
  /** Octets; 0: unlimited. */
  decodeBufferLimit = 0;
  encodeBufferLimit = 0;
  /** The request is complete, trailers included, as far as the codec is concerned. */
  requestEnded = false;
  /** The response is complete as far as its sender is concerned: nothing more of the request interests anyone. */
  responseEnded = false;
  /** A final response head was given to the codec. */
  headSent = false;
  /** The stream is over; filters are gone. */
  destroyed = false;
  protected callState = 0;
  protected decodeAborted = false;
  protected encodeAborted = false;
  protected pendingReply: PendingReply | null = null;
  /** Above the limit pauses (true) or is an error (false). */
  protected decodeStreaming = false;
  protected encodeStreaming = false;
  protected decodeAboveLimit = false;
  protected encodeAboveLimit = false;
  protected watermarkCallbacks: DownstreamWatermarkCallbacks[] | null = null;
  /** How often the downstream is above its high watermark: connection and stream count each. */
  protected downstreamHighCount = 0;

  constructor(connection: Connection, streamInfo: StreamInfo) {
    this.connection = connection;
    this.streamInfo = streamInfo;
  }

  abstract readonly route: Route | null;
  abstract readonly clusterInfo: ClusterInfo | null;
  abstract clearRouteCache(): void;
  abstract resetStream(reason: ResetReason, details: string): void;
  /** Answers the request from here; see DecoderFilterCallbacks. */
  abstract sendLocalReply(
    status: number,
    body: string | Uint8Array,
    details: string,
    options: LocalReplyOptions | null,
  ): void;
  /** Pauses and resumes what comes from the downstream on this stream; counted. */
  abstract pauseRequest(): void;
  abstract resumeRequest(): void;
  /** Something happened on the stream. */
  protected abstract touch(): void;
  /** The whole request was seen by the chain. */
  protected abstract onRequestDecoded(): void;
  /** A buffered body went over its limit: for the statistics. */
  protected abstract onRequestTooLarge(): void;
  protected abstract onResponseTooLarge(): void;

  addWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.watermarkCallbacks ??= [];
    this.watermarkCallbacks.push(callbacks);
    for (let i = 0; i < this.downstreamHighCount; i++) callbacks.onAboveWriteBufferHighWatermark();
  }

  removeWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    const at = this.watermarkCallbacks?.indexOf(callbacks) ?? -1;
    if (at !== -1) this.watermarkCallbacks!.splice(at, 1);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.downstreamHighCount++;
    if (this.watermarkCallbacks === null) return;
    for (const callbacks of this.watermarkCallbacks) callbacks.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    if (this.downstreamHighCount === 0) return;
    this.downstreamHighCount--;
    if (this.watermarkCallbacks === null) return;
    for (const callbacks of this.watermarkCallbacks) callbacks.onBelowWriteBufferLowWatermark();
  }

  /** Lets go of all filters, once. */
  protected destroyFilters(): void {
    this.destroyed = true;
    this.decodeAborted = true;
    this.encodeAborted = true;
    for (const { decoder } of this.decoders) decoder!.onDestroy();
    for (const { decoder, encoder } of this.encoders) {
      if ((encoder as unknown) !== decoder) encoder!.onDestroy();
    }
    this.watermarkCallbacks = null;
    this.decodeBuffer = null;
    this.encodeBuffer = null;
  }
}
