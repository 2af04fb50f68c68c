import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type LocalReplyOptions,
} from '#gateway/api/http-filter.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { type ActiveFilter, Iteration } from './active-filter.ts';
import { DecodeChain } from './decode-chain.ts';
import { CallState, type PendingReply } from './filter-chain-state.ts';
import { ResponseCodeDetails } from './response-code-details.ts';

/** A local reply, rendered: what goes through the encoder filters. */
export interface RenderedReply {
  readonly head: ResponseHead;
  /** Null: the head ends the response. */
  readonly body: Uint8Array | null;
}

/**
 * The filters of one stream: both directions and local replies. Envoy's FilterManager.
 *
 * The response's way mirrors the request's (see `decode-chain.ts`); what comes out at its end goes to the codec through
 * the `...ToCodec` methods of the subclass.
 */
export abstract class FilterManager extends DecodeChain {
  /** Makes the filters, once. */
  protected abstract createFilterChain(): void;
  /** Makes the head and body of a local reply, local_reply_config applied. */
  protected abstract renderLocalReply(reply: PendingReply): RenderedReply;
  /** False: the head could not be sent, and the stream was reset. */
  protected abstract headToCodec(head: ResponseHead, endStream: boolean): boolean;
  protected abstract dataToCodec(chunk: Uint8Array, endStream: boolean): void;
  protected abstract trailersToCodec(trailers: HeaderMap): void;
  /** The whole response was given to the codec. */
  protected abstract onResponseEncoded(): void;
  /** The response began: the request's own timeouts end. */
  protected abstract onResponseBegun(): void;
  abstract encodeInformational(head: ResponseHead): void;

  /** The terminal filter's answer begins. */
  startResponse(head: ResponseHead, endStream: boolean, details: string): void {
    if (this.destroyed) return;
    this.streamInfo.responseCodeDetails = details;
    this.streamInfo.responseCode = head.status;
    this.responseHead = head;
    this.#runEncodeHeaders(0, head, endStream);
  }

  #runEncodeHeaders(start: number, head: ResponseHead, ended: boolean): void {
    this.touch();
    this.onResponseBegun();
    if (ended) this.responseEnded = true;
    const filters = this.encoders;
    let endStream = ended;
    let bodyFrom: ActiveFilter | null = null;
    for (let i = start; i < filters.length; i++) {
      const filter = filters[i]!;
      filter.encodeEnded = endStream && bodyFrom === null;
      this.callState |= CallState.EncodeHeaders;
      let status = filter.encoder!.encodeHeaders(head, filter.encodeEnded);
      this.callState &= ~CallState.EncodeHeaders;
      if (this.destroyed) return;
      if (this.encodeAborted) status = FilterHeadersStatus.StopIteration;
      if (status === FilterHeadersStatus.ContinueAndDontEndStream) endStream = false;
      if (!filter.afterEncodeHeaders(status)) {
        if (bodyFrom !== null) this.#resumeFrom(bodyFrom);
        return;
      }
      if (endStream && bodyFrom === null && this.encodeBuffer !== null) bodyFrom = filter;
    }
    const nothingFollows = endStream && bodyFrom === null;
    this.headSent = true;
    if (!this.headToCodec(head, nothingFollows)) return;
    if (nothingFollows) this.onResponseEncoded();
    else if (bodyFrom !== null) this.#resumeFrom(bodyFrom);
  }

  /** Passes a chunk of the response on, from `start` (an index of `encoders`). */
  runEncodeData(start: number, chunk: Uint8Array, endStream: boolean): void {
    this.touch();
    if (this.destroyed || this.encodeAborted) return;
    if (endStream) this.responseEnded = true;
    const filters = this.encoders;
    for (let i = start; i < filters.length; i++) {
      const filter = filters[i]!;
      if (filter.encodeState >= Iteration.StopAllBuffer) {
        this.encodeStreaming = filter.encodeState === Iteration.StopAllWatermark;
        this.#keep(chunk);
        return;
      }
      if (filter.encodeEnded) return;
      filter.encodeEnded = endStream;
      this.callState |= CallState.EncodeData;
      const status = filter.encoder!.encodeData(chunk, endStream);
      this.callState &= ~CallState.EncodeData;
      if (this.encodeAborted) return;
      if (status === FilterDataStatus.Continue) {
        if (filter.encodeState !== Iteration.StopSingle) continue;
        this.#keep(chunk);
        this.continueEncoding(filter);
        return;
      }
      filter.encodeState = Iteration.StopSingle;
      if (status === FilterDataStatus.StopIterationNoBuffer) {
        if (this.responseEnded && this.responseTrailers === null) this.encodeBuffer ??= new ByteQueue();
      } else {
        this.encodeStreaming = status === FilterDataStatus.StopIterationAndWatermark;
        this.#keep(chunk);
      }
      return;
    }
    this.dataToCodec(chunk, endStream);
    if (endStream && !this.destroyed) this.onResponseEncoded();
  }

  /** Passes response trailers on, from `start`. */
  runEncodeTrailers(start: number, trailers: HeaderMap): void {
    this.touch();
    if (this.destroyed || this.encodeAborted) return;
    this.responseEnded = true;
    const filters = this.encoders;
    for (let i = start; i < filters.length; i++) {
      const filter = filters[i]!;
      if (filter.encodeState >= Iteration.StopAllBuffer) return;
      this.callState |= CallState.EncodeTrailers;
      const status = filter.encoder!.encodeTrailers(trailers);
      this.callState &= ~CallState.EncodeTrailers;
      filter.encodeEnded = true;
      if (this.encodeAborted) return;
      if (status === FilterTrailersStatus.Continue) {
        if (filter.encodeState !== Iteration.StopSingle) continue;
        this.continueEncoding(filter);
        return;
      }
      if (filter.encodeState === Iteration.Continue) filter.encodeState = Iteration.StopSingle;
      return;
    }
    this.trailersToCodec(trailers);
    if (!this.destroyed) this.onResponseEncoded();
  }

  /** The twin of `continueDecoding`. */
  continueEncoding(filter: ActiveFilter): void {
    if (this.destroyed || this.encodeAborted) return;
    if (filter.encodeState === Iteration.Continue && filter.encodeHeadPassed) return;
    filter.encodeFromSelf = filter.encodeState >= Iteration.StopAllBuffer;
    filter.encodeState = Iteration.Continue;
    const next = filter.encodeIndex + 1;
    if (!filter.encodeHeadPassed) {
      filter.encodeHeadPassed = true;
      const nothingFollows = this.responseEnded && this.encodeBuffer === null && this.responseTrailers === null;
      this.#runEncodeHeaders(next, this.responseHead!, nothingFollows);
    }
    const trailers = this.responseTrailers;
    const start = filter.encodeFromSelf ? filter.encodeIndex : next;
    const held = this.#takeBuffer();
    if (held !== null) this.runEncodeData(start, held, this.responseEnded && trailers === null);
    if (trailers !== null) this.runEncodeTrailers(start, trailers);
    filter.encodeFromSelf = false;
  }

  /** Body that a filter adds by itself; see EncoderFilterCallbacks. */
  addEncodedData(filter: ActiveFilter, chunk: Uint8Array, streaming: boolean): void {
    if (this.encodeAborted) return;
    if ((this.callState & CallState.EncodeTrailers) !== 0 && filter.encodeState === Iteration.Continue) {
      this.runEncodeData(filter.encodeIndex + 1, chunk, false);
      return;
    }
    this.encodeStreaming = streaming;
    this.#keep(chunk);
  }

  /** Body that a filter sends on at once; see EncoderFilterCallbacks. */
  injectEncodedData(filter: ActiveFilter, chunk: Uint8Array, endStream: boolean): void {
    if (this.destroyed || this.encodeAborted) return;
    if (!filter.encodeHeadPassed) {
      filter.encodeHeadPassed = true;
      this.#runEncodeHeaders(filter.encodeIndex + 1, this.responseHead!, false);
    }
    this.runEncodeData(filter.encodeIndex + 1, chunk, endStream);
  }

  /** Trailers that a filter sends on by itself; see EncoderFilterCallbacks. */
  injectEncodedTrailers(filter: ActiveFilter, trailers: HeaderMap): void {
    if (this.destroyed || this.encodeAborted) return;
    this.responseTrailers = trailers;
    this.runEncodeTrailers(filter.encodeIndex + 1, trailers);
  }

  /**
   * Answers from here: through the encoder filters when no response has begun; past them when one was begun but not sent;
   * with a reset when it was. While a filter is handling the request the reply waits until it returns.
   */
  sendLocalReply(status: number, body: string | Uint8Array, details: string, options: LocalReplyOptions | null): void {
    if (this.destroyed) return;
    const decoding = (this.callState & CallState.Decoding) !== 0;
    if (decoding) this.decodeAborted = true;
    else if ((this.callState & CallState.Encoding) !== 0) this.encodeAborted = true;
    this.streamInfo.responseCodeDetails = details;
    const reply: PendingReply = { status, body, details, options };
    if (this.headSent) {
      this.resetStream('local_reset', details);
    } else if (this.responseHead !== null) {
      this.#sendPastFilters(reply);
    } else if (decoding) {
      this.pendingReply = reply;
    } else {
      this.#sendThroughFilters(reply);
    }
  }

  protected sendPendingReply(): void {
    const reply = this.pendingReply;
    if (reply === null || this.destroyed) return;
    this.pendingReply = null;
    if (this.responseHead === null) this.#sendThroughFilters(reply);
  }

  #sendThroughFilters(reply: PendingReply): void {
    this.decodeAborted = true;
    this.createFilterChain();
    const { head, body } = this.renderLocalReply(reply);
    this.responseHead = head;
    this.#runEncodeHeaders(0, head, body === null);
    if (body !== null && !this.destroyed) this.runEncodeData(0, body, true);
  }

  #sendPastFilters(reply: PendingReply): void {
    this.encodeAborted = true;
    this.encodeBuffer = null;
    const { head, body } = this.renderLocalReply(reply);
    this.responseHead = head;
    this.responseTrailers = null;
    this.responseEnded = true;
    this.headSent = true;
    if (!this.headToCodec(head, body === null)) return;
    if (body !== null) this.dataToCodec(body, true);
    if (!this.destroyed) this.onResponseEncoded();
  }

  #resumeFrom(filter: ActiveFilter): void {
    filter.encodeState = Iteration.StopSingle;
    this.continueEncoding(filter);
  }

  #keep(chunk: Uint8Array): void {
    this.encodeBuffer ??= new ByteQueue();
    this.encodeBuffer.push(chunk);
    if (this.encodeAboveLimit || this.encodeBufferLimit === 0) return;
    if (this.encodeBuffer.length <= this.encodeBufferLimit) return;
    if (this.encodeStreaming) {
      this.encodeAboveLimit = true;
      this.onAboveWriteBufferHighWatermark();
    } else {
      this.onResponseTooLarge();
      this.sendLocalReply(500, 'Internal Server Error', ResponseCodeDetails.ResponsePayloadTooLarge, null);
    }
  }

  #takeBuffer(): Uint8Array | null {
    const buffer = this.encodeBuffer;
    if (buffer === null) return null;
    this.encodeBuffer = null;
    if (this.encodeAboveLimit) {
      this.encodeAboveLimit = false;
      this.onBelowWriteBufferLowWatermark();
    }
    return buffer.concat();
  }
}
