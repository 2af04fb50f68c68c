import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type ActiveFilter, Iteration } from './active-filter.ts';
import { CallState, FilterChainState } from './filter-chain-state.ts';
import { ResponseCodeDetails } from './response-code-details.ts';

/**
 * The request's way through the filters, with Envoy's rules: see `api/http-filter.ts` for what each answer means.
 *
 * `start` is always an index of `decoders`. The last filter (the router) may stop, but that stops nothing: there is nobody
 * after it; body that an earlier filter added must still reach it.
 */
export abstract class DecodeChain extends FilterChainState {
  /** Passes the request head on, from `start`. */
  protected runDecodeHeaders(start: number, ended: boolean): void {
    const filters = this.decoders;
    const head = this.requestHead!;
    let endStream = ended;
    // A filter that gave a headers-only request a body: the others get the head first, then the body from it on.
    let bodyFrom: ActiveFilter | null = null;
    for (let i = start; i < filters.length; i++) {
      const filter = filters[i]!;
      filter.decodeEnded = endStream && bodyFrom === null;
      this.callState |= CallState.DecodeHeaders;
      let status = filter.decoder!.decodeHeaders(head, filter.decodeEnded);
      this.callState &= ~CallState.DecodeHeaders;
      if (this.decodeAborted) {
        this.sendPendingReply();
        if (this.destroyed) return;
        status = FilterHeadersStatus.StopIteration;
      }
      if (status === FilterHeadersStatus.ContinueAndDontEndStream) endStream = false;
      const goOn = filter.afterDecodeHeaders(status);
      if (!goOn && i + 1 < filters.length) {
        if (bodyFrom !== null) this.#resumeFrom(bodyFrom);
        return;
      }
      if (endStream && bodyFrom === null && this.decodeBuffer !== null) bodyFrom = filter;
    }
    if (bodyFrom !== null) this.#resumeFrom(bodyFrom);
    if (endStream) this.onRequestDecoded();
  }

  /** Passes a chunk of body on, from `start`. */
  protected runDecodeData(start: number, chunk: Uint8Array, endStream: boolean): void {
    this.touch();
    if (this.decodeAborted || this.responseEnded) return;
    const filters = this.decoders;
    const last = filters.length - 1;
    for (let i = start; i <= last; i++) {
      const filter = filters[i]!;
      if (filter.decodeState >= Iteration.StopAllBuffer) {
        this.decodeStreaming = filter.decodeState === Iteration.StopAllWatermark;
        this.#keep(chunk);
        return;
      }
      if (filter.decodeEnded) return;
      filter.decodeEnded = endStream;
      this.callState |= CallState.DecodeData;
      const status = filter.decoder!.decodeData(chunk, endStream);
      this.callState &= ~CallState.DecodeData;
      if (this.decodeAborted) {
        this.sendPendingReply();
        return;
      }
      if (status === FilterDataStatus.Continue) {
        if (filter.decodeState === Iteration.StopSingle) {
          this.#keep(chunk);
          this.continueDecoding(filter);
          if (i < last) return;
        }
        continue;
      }
      filter.decodeState = Iteration.StopSingle;
      if (status === FilterDataStatus.StopIterationNoBuffer) {
        // So that the end of the stream is passed on when the filter continues.
        if (this.requestEnded && this.requestTrailers === null && !this.destroyed)
          this.decodeBuffer ??= new ByteQueue();
      } else {
        this.decodeStreaming = status === FilterDataStatus.StopIterationAndWatermark;
        if (i < last) this.#keep(chunk);
      }
      if (i < last) return;
    }
    if (endStream) this.onRequestDecoded();
  }

  /** Passes trailers on, from `start`. */
  protected runDecodeTrailers(start: number, trailers: HeaderMap): void {
    if (this.decodeAborted || this.responseEnded) return;
    const filters = this.decoders;
    const last = filters.length - 1;
    for (let i = start; i <= last; i++) {
      const filter = filters[i]!;
      if (filter.decodeState >= Iteration.StopAllBuffer) return;
      this.callState |= CallState.DecodeTrailers;
      const status = filter.decoder!.decodeTrailers(trailers);
      this.callState &= ~CallState.DecodeTrailers;
      filter.decodeEnded = true;
      if (this.decodeAborted) {
        this.sendPendingReply();
        return;
      }
      if (status === FilterTrailersStatus.Continue) {
        if (filter.decodeState === Iteration.StopSingle) {
          this.continueDecoding(filter);
          if (i < last) return;
        }
      } else {
        if (filter.decodeState === Iteration.Continue) filter.decodeState = Iteration.StopSingle;
        if (i < last) return;
      }
    }
    this.onRequestDecoded();
  }

  /** Resumes after a filter stopped: head if it was held, then what is buffered, then trailers. */
  continueDecoding(filter: ActiveFilter): void {
    if (this.decodeAborted || this.responseEnded) return;
    if (filter.decodeState === Iteration.Continue && filter.decodeHeadPassed) return;
    filter.decodeFromSelf = filter.decodeState >= Iteration.StopAllBuffer;
    filter.decodeState = Iteration.Continue;
    const next = filter.decodeIndex + 1;
    if (!filter.decodeHeadPassed) {
      filter.decodeHeadPassed = true;
      this.runDecodeHeaders(next, this.requestEnded && this.decodeBuffer === null && this.requestTrailers === null);
    }
    // Trailers that come while data is passed on are passed on by that; those that were there before, here.
    const trailers = this.requestTrailers;
    const start = filter.decodeFromSelf ? filter.decodeIndex : next;
    const held = this.#takeBuffer();
    if (held !== null) this.runDecodeData(start, held, this.requestEnded && trailers === null);
    if (trailers !== null) this.runDecodeTrailers(start, trailers);
    filter.decodeFromSelf = false;
  }

  /** Body that a filter adds by itself; see DecoderFilterCallbacks. */
  addDecodedData(filter: ActiveFilter, chunk: Uint8Array, streaming: boolean): void {
    if (this.decodeAborted) return;
    if ((this.callState & CallState.DecodeTrailers) !== 0 && filter.decodeState === Iteration.Continue) {
      this.runDecodeData(filter.decodeIndex + 1, chunk, false);
      return;
    }
    this.decodeStreaming = streaming;
    this.#keep(chunk);
  }

  /** Body that a filter sends on at once; see DecoderFilterCallbacks. */
  injectDecodedData(filter: ActiveFilter, chunk: Uint8Array, endStream: boolean): void {
    if (this.decodeAborted || this.responseEnded) return;
    if (!filter.decodeHeadPassed) {
      filter.decodeHeadPassed = true;
      this.runDecodeHeaders(filter.decodeIndex + 1, false);
    }
    this.runDecodeData(filter.decodeIndex + 1, chunk, endStream);
  }

  /** Sends the local reply that a filter asked for while it was being called. */
  protected abstract sendPendingReply(): void;

  #resumeFrom(filter: ActiveFilter): void {
    filter.decodeState = Iteration.StopSingle;
    this.continueDecoding(filter);
  }

  #keep(chunk: Uint8Array): void {
    this.decodeBuffer ??= new ByteQueue();
    this.decodeBuffer.push(chunk);
    if (this.decodeAboveLimit || this.decodeBufferLimit === 0) return;
    if (this.decodeBuffer.length <= this.decodeBufferLimit) return;
    if (this.decodeStreaming) {
      this.decodeAboveLimit = true;
      this.pauseRequest();
    } else {
      this.onRequestTooLarge();
      this.sendLocalReply(413, 'Payload Too Large', ResponseCodeDetails.RequestPayloadTooLarge, null);
    }
  }

  #takeBuffer(): Uint8Array | null {
    const buffer = this.decodeBuffer;
    if (buffer === null) return null;
    this.decodeBuffer = null;
    if (this.decodeAboveLimit) {
      this.decodeAboveLimit = false;
      this.resumeRequest();
    }
    return buffer.concat();
  }
}
