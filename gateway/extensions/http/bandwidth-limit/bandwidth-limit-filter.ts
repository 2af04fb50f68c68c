import {
  type DecoderFilterCallbacks,
  type EncoderFilterCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
  type StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { BandwidthLimitConfig } from './bandwidth-limit-config.ts';
import { PacedDirection } from './paced-direction.ts';
import type { PacerSink } from './stream-pacer.ts';

/** Slows bodies down to a number of octets a second, of all streams together. Envoy's bandwidth_limit filter. */
export class BandwidthLimitFilter implements StreamDecoderFilter, StreamEncoderFilter {
  #config: BandwidthLimitConfig;
  #decoder!: DecoderFilterCallbacks;
  #encoder!: EncoderFilterCallbacks;
  #request: PacedDirection | null = null;
  #response: PacedDirection | null = null;
  #requestTrailers = false;
  /** The response's own trailers, or those that the filter adds; null: none. */
  #responseTrailers: HeaderMap | null = null;
  #ownTrailers = false;
  #inTrailers = false;

  constructor(config: BandwidthLimitConfig) {
    this.#config = config;
  }

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.#decoder = callbacks;
  }

  setEncoderFilterCallbacks(callbacks: EncoderFilterCallbacks): void {
    this.#encoder = callbacks;
  }

  decodeHeaders(): FilterHeadersStatus {
    const config = (this.#decoder.routeConfig() as BandwidthLimitConfig | null) ?? this.#config;
    this.#config = config;
    if (config.limitsRequests && config.enabled()) {
      const sink: PacerSink = {
        onPaced: (chunk, last) => this.#passRequest(chunk, last),
        onPacerFull: (full) => {
          if (full) this.#decoder.onDecoderFilterAboveWriteBufferHighWatermark();
          else this.#decoder.onDecoderFilterBelowWriteBufferLowWatermark();
        },
      };
      this.#request = new PacedDirection(config, config.request, this.#decoder.decoderBufferLimit(), sink);
    }
    return FilterHeadersStatus.Continue;
  }

  decodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (this.#request === null) return FilterDataStatus.Continue;
    this.#request.write(chunk, endStream);
    return FilterDataStatus.StopIterationNoBuffer;
  }

  decodeTrailers(): FilterTrailersStatus {
    if (this.#request === null) return FilterTrailersStatus.Continue;
    this.#requestTrailers = true;
    this.#inTrailers = true;
    const waits = this.#request.endWithTrailers();
    this.#inTrailers = false;
    return waits ? FilterTrailersStatus.StopIteration : FilterTrailersStatus.Continue;
  }

  encodeHeaders(): FilterHeadersStatus {
    const config = this.#config;
    if (config.limitsResponses && config.enabled()) {
      const sink: PacerSink = {
        onPaced: (chunk, last) => this.#passResponse(chunk, last),
        onPacerFull: (full) => {
          if (full) this.#encoder.onEncoderFilterAboveWriteBufferHighWatermark();
          else this.#encoder.onEncoderFilterBelowWriteBufferLowWatermark();
        },
      };
      this.#response = new PacedDirection(config, config.response, this.#encoder.encoderBufferLimit(), sink);
    }
    return FilterHeadersStatus.Continue;
  }

  encodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (this.#response === null) return FilterDataStatus.Continue;
    if (endStream && this.#config.trailers !== null) {
      this.#responseTrailers = new HeaderMap();
      this.#ownTrailers = true;
    }
    this.#response.write(chunk, endStream);
    return FilterDataStatus.StopIterationNoBuffer;
  }

  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    if (this.#response === null) return FilterTrailersStatus.Continue;
    this.#responseTrailers = trailers;
    this.#inTrailers = true;
    const waits = this.#response.endWithTrailers();
    this.#inTrailers = false;
    return waits ? FilterTrailersStatus.StopIteration : FilterTrailersStatus.Continue;
  }

  onDestroy(): void {
    this.#request?.close();
    this.#response?.close();
  }

  #passRequest(chunk: Uint8Array, last: boolean): void {
    const trailers = this.#requestTrailers;
    if (chunk.length > 0 || (last && !trailers)) this.#decoder.injectDecodedData(chunk, last && !trailers);
    if (last && trailers && !this.#inTrailers) this.#decoder.continueDecoding();
  }

  #passResponse(chunk: Uint8Array, last: boolean): void {
    const trailers = this.#responseTrailers;
    const endsHere = last && trailers === null;
    if (chunk.length > 0 || endsHere) this.#encoder.injectEncodedData(chunk, endsHere);
    if (!last || trailers === null) return;
    this.#tellDelays(trailers);
    if (this.#ownTrailers) this.#encoder.injectEncodedTrailers(trailers);
    else if (!this.#inTrailers) this.#encoder.continueEncoding();
  }

  #tellDelays(trailers: HeaderMap): void {
    const names = this.#config.trailers;
    if (names === null) return;
    const tell = (name: string, milliseconds: number | undefined): void => {
      if (milliseconds !== undefined && milliseconds > 0) trailers.set(name, String(milliseconds));
    };
    tell(names.request, this.#request?.durationMs);
    tell(names.requestFilter, this.#request?.limitedMs);
    tell(names.response, this.#response?.durationMs);
    tell(names.responseFilter, this.#response?.limitedMs);
  }
}
