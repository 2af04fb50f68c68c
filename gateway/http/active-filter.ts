import type { Connection } from '#gateway/api/connection.ts';
import {
  type DecoderFilterCallbacks,
  type DownstreamWatermarkCallbacks,
  type EncoderFilterCallbacks,
  FilterHeadersStatus,
  type LocalReplyOptions,
  type StreamDecoderFilter,
  type StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import type { Route } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import type { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { FilterManager } from './filter-manager.ts';

/** Whether a filter holds up one direction: not, until it continues, or until then with all that follows kept. */
export const Iteration = { Continue: 0, StopSingle: 1, StopAllBuffer: 2, StopAllWatermark: 3 } as const;
/** @see Iteration */
export type Iteration = (typeof Iteration)[keyof typeof Iteration];

/** One filter on one stream: where iteration stands with it in each direction, and what it may call. */
export class ActiveFilter implements DecoderFilterCallbacks, EncoderFilterCallbacks {
  readonly manager: FilterManager;
  /** The filter's name in the configuration: the key of per-route configuration. */
  readonly name: string;
  readonly decoder: StreamDecoderFilter | null;
  readonly encoder: StreamEncoderFilter | null;
  /** Places in the manager's lists; -1: not in that one. */
  decodeIndex = -1;
  encodeIndex = -1;
  decodeState: Iteration = Iteration.Continue;
  encodeState: Iteration = Iteration.Continue;
  /** The head has gone on to later filters. */
  decodeHeadPassed = false;
  encodeHeadPassed = false;
  /** The filter was told that nothing follows. */
  decodeEnded = false;
  encodeEnded = false;
  /** Body that was held up comes to this filter too when it continues: it has not seen it. */
  decodeFromSelf = false;
  encodeFromSelf = false;

  constructor(
    manager: FilterManager,
    name: string,
    decoder: StreamDecoderFilter | null,
    encoder: StreamEncoderFilter | null,
  ) {
    this.manager = manager;
    this.name = name;
    this.decoder = decoder;
    this.encoder = encoder;
  }

  /** Notes the answer to a request head; true: go on to the next filter. */
  afterDecodeHeaders(status: FilterHeadersStatus): boolean {
    const next = iterationAfter(status);
    this.decodeState = next;
    this.decodeHeadPassed = next === Iteration.Continue;
    return this.decodeHeadPassed;
  }

  /** Notes the answer to a response head; true: go on to the next filter. */
  afterEncodeHeaders(status: FilterHeadersStatus): boolean {
    const next = iterationAfter(status);
    this.encodeState = next;
    this.encodeHeadPassed = next === Iteration.Continue;
    return this.encodeHeadPassed;
  }

  get connection(): Connection {
    return this.manager.connection;
  }
  get streamInfo(): StreamInfo {
    return this.manager.streamInfo;
  }
  get route(): Route | null {
    return this.manager.route;
  }
  get clusterInfo(): ClusterInfo | null {
    return this.manager.clusterInfo;
  }
  get requestHead(): RequestHead | null {
    return this.manager.requestHead;
  }
  get responseHead(): ResponseHead | null {
    return this.manager.responseHead;
  }

  clearRouteCache(): void {
    this.manager.clearRouteCache();
  }

  routeConfig(): unknown {
    const { route } = this.manager;
    return route === null ? null : route.filterConfig(this.name);
  }

  allRouteConfigs(): readonly unknown[] {
    const { route } = this.manager;
    return route === null ? [] : route.allFilterConfigs(this.name);
  }

  resetStream(reason: ResetReason, details: string): void {
    this.manager.resetStream(reason, details);
  }

  sendLocalReply(status: number, body: string | Uint8Array, details: string, options?: LocalReplyOptions): void {
    this.manager.sendLocalReply(status, body, details, options ?? null);
  }

  continueDecoding(): void {
    this.manager.continueDecoding(this);
  }
  decodingBuffer(): ByteQueue | null {
    return this.manager.decodeBuffer;
  }
  addDecodedData(chunk: Uint8Array, streaming: boolean): void {
    this.manager.addDecodedData(this, chunk, streaming);
  }
  injectDecodedData(chunk: Uint8Array, endStream: boolean): void {
    this.manager.injectDecodedData(this, chunk, endStream);
  }
  decoderBufferLimit(): number {
    return this.manager.decodeBufferLimit;
  }
  setDecoderBufferLimit(octets: number): void {
    this.manager.decodeBufferLimit = octets;
  }

  encodeInformational(head: ResponseHead): void {
    this.manager.encodeInformational(head);
  }
  encodeHeaders(head: ResponseHead, endStream: boolean, details: string): void {
    this.manager.startResponse(head, endStream, details);
  }
  encodeData(chunk: Uint8Array, endStream: boolean): void {
    this.manager.runEncodeData(0, chunk, endStream);
  }
  encodeTrailers(trailers: HeaderMap): void {
    this.manager.responseTrailers = trailers;
    this.manager.runEncodeTrailers(0, trailers);
  }
  onDecoderFilterAboveWriteBufferHighWatermark(): void {
    this.manager.pauseRequest();
  }
  onDecoderFilterBelowWriteBufferLowWatermark(): void {
    this.manager.resumeRequest();
  }
  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.manager.addWatermarkCallbacks(callbacks);
  }
  removeDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.manager.removeWatermarkCallbacks(callbacks);
  }

  continueEncoding(): void {
    this.manager.continueEncoding(this);
  }
  encodingBuffer(): ByteQueue | null {
    return this.manager.encodeBuffer;
  }
  addEncodedData(chunk: Uint8Array, streaming: boolean): void {
    this.manager.addEncodedData(this, chunk, streaming);
  }
  injectEncodedData(chunk: Uint8Array, endStream: boolean): void {
    this.manager.injectEncodedData(this, chunk, endStream);
  }
  injectEncodedTrailers(trailers: HeaderMap): void {
    this.manager.injectEncodedTrailers(this, trailers);
  }
  onEncoderFilterAboveWriteBufferHighWatermark(): void {
    this.manager.onAboveWriteBufferHighWatermark();
  }
  onEncoderFilterBelowWriteBufferLowWatermark(): void {
    this.manager.onBelowWriteBufferLowWatermark();
  }
  encoderBufferLimit(): number {
    return this.manager.encodeBufferLimit;
  }
  setEncoderBufferLimit(octets: number): void {
    this.manager.encodeBufferLimit = octets;
  }
}

function iterationAfter(status: FilterHeadersStatus): Iteration {
  switch (status) {
    case FilterHeadersStatus.StopIteration:
      return Iteration.StopSingle;
    case FilterHeadersStatus.StopAllIterationAndBuffer:
      return Iteration.StopAllBuffer;
    case FilterHeadersStatus.StopAllIterationAndWatermark:
      return Iteration.StopAllWatermark;
    default:
      return Iteration.Continue;
  }
}
