import {
  type DecoderFilterCallbacks,
  type EncoderFilterCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
  type StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

/** A filter that looks at the request's head and lets pass what follows it, but for what it overrides. */
export abstract class PassThroughDecoderFilter implements StreamDecoderFilter {
  protected callbacks!: DecoderFilterCallbacks;

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  abstract decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus;

  decodeData(_chunk: Uint8Array, _endStream: boolean): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  decodeTrailers(_trailers: HeaderMap): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }

  onDestroy(): void {}
}

/** The same for both ways: the response passes too, but for what is overridden. */
export abstract class PassThroughFilter extends PassThroughDecoderFilter implements StreamEncoderFilter {
  setEncoderFilterCallbacks(_callbacks: EncoderFilterCallbacks): void {}

  encodeHeaders(_head: ResponseHead, _endStream: boolean): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }

  encodeData(_chunk: Uint8Array, _endStream: boolean): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  encodeTrailers(_trailers: HeaderMap): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }
}
