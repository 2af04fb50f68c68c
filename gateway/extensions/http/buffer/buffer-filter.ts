import {
  type DecoderFilterCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
} from '#gateway/api/http-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';

/** Whether and how far a request is buffered. Buffer, or BufferPerRoute. */
export interface BufferSettings {
  /** Octets; 0: not buffered here. */
  readonly maxRequestOctets: number;
}

/** Holds a request back until all of it is there, and then says how long it is. Above the limit the answer is 413. */
export class BufferFilter implements StreamDecoderFilter {
  readonly #settings: BufferSettings;
  #callbacks: DecoderFilterCallbacks | null = null;
  /** The head that is held back; null when this request is not buffered. */
  #head: RequestHead | null = null;
  #octets = 0;

  /** `settings`: for requests whose route has none of its own. */
  constructor(settings: BufferSettings) {
    this.#settings = settings;
  }

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus {
    if (endStream) return FilterHeadersStatus.Continue;
    const callbacks = this.#callbacks!;
    const settings = (callbacks.routeConfig() as BufferSettings | null) ?? this.#settings;
    if (settings.maxRequestOctets === 0) return FilterHeadersStatus.Continue;
    callbacks.setDecoderBufferLimit(settings.maxRequestOctets);
    this.#head = head;
    return FilterHeadersStatus.StopIteration;
  }

  decodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (this.#head === null) return FilterDataStatus.Continue;
    this.#octets += chunk.length;
    if (!endStream) return FilterDataStatus.StopIterationAndBuffer;
    this.#sayLength();
    return FilterDataStatus.Continue;
  }

  decodeTrailers(): FilterTrailersStatus {
    this.#sayLength();
    return FilterTrailersStatus.Continue;
  }

  onDestroy(): void {}

  #sayLength(): void {
    this.#head?.headers.setIfAbsent('content-length', String(this.#octets));
  }
}
