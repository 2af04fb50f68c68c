import {
  type DecoderFilterCallbacks,
  FilterDataStatus,
  type FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
} from '#gateway/api/http-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';

/** A filter that judges the request's head and has nothing to say about what follows it. */
export abstract class RequestHeadFilter implements StreamDecoderFilter {
  protected callbacks!: DecoderFilterCallbacks;

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  abstract decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus;

  decodeData(): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  decodeTrailers(): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }

  onDestroy(): void {}
}
