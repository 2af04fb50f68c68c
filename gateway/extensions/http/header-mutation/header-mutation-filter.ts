import type { FormatterContext } from '#gateway/api/access-log.ts';
import {
  type DecoderFilterCallbacks,
  type EncoderFilterCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
  type StreamEncoderFilter,
  type StreamFilterCallbacks,
} from '#gateway/api/http-filter.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { type Mutations, mutateRequest, mutateResponse, mutateTrailers } from './mutations.ts';

/** What the streams of one header mutation filter share. */
export interface HeaderMutationConfig {
  readonly mutations: Mutations;
  /** The route's mutations come last instead of the route table's, so that they win. */
  readonly mostSpecificWins: boolean;
}

/** Changes headers, query and trailers: first by the filter's own mutations, then by those of the route's levels. */
export class HeaderMutationFilter implements StreamDecoderFilter, StreamEncoderFilter {
  readonly #config: HeaderMutationConfig;
  #decoder: DecoderFilterCallbacks | null = null;
  #encoder: EncoderFilterCallbacks | null = null;
  /** In the order they apply; taken from the route once, so that a new route choice changes nothing. */
  #levels: readonly Mutations[] | null = null;

  constructor(config: HeaderMutationConfig) {
    this.#config = config;
  }

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.#decoder = callbacks;
  }

  setEncoderFilterCallbacks(callbacks: EncoderFilterCallbacks): void {
    this.#encoder = callbacks;
  }

  decodeHeaders(head: RequestHead, _endStream: boolean): FilterHeadersStatus {
    const callbacks = this.#decoder!;
    const context = contextOf(callbacks, head, null, null);
    mutateRequest(this.#config.mutations, head, context);
    for (const level of this.#routeLevels(callbacks)) mutateRequest(level, head, context);
    return FilterHeadersStatus.Continue;
  }

  decodeData(): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const callbacks = this.#decoder!;
    const context = contextOf(callbacks, callbacks.requestHead, null, null);
    mutateTrailers(this.#config.mutations.requestTrailers, trailers, context);
    for (const level of this.#routeLevels(callbacks)) mutateTrailers(level.requestTrailers, trailers, context);
    return FilterTrailersStatus.Continue;
  }

  encodeHeaders(head: ResponseHead, _endStream: boolean): FilterHeadersStatus {
    const callbacks = this.#encoder!;
    const context = contextOf(callbacks, callbacks.requestHead, head, null);
    mutateResponse(this.#config.mutations, head, context);
    for (const level of this.#routeLevels(callbacks)) mutateResponse(level, head, context);
    return FilterHeadersStatus.Continue;
  }

  encodeData(): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const callbacks = this.#encoder!;
    const context = contextOf(callbacks, callbacks.requestHead, callbacks.responseHead, trailers);
    mutateTrailers(this.#config.mutations.responseTrailers, trailers, context);
    for (const level of this.#routeLevels(callbacks)) mutateTrailers(level.responseTrailers, trailers, context);
    return FilterTrailersStatus.Continue;
  }

  onDestroy(): void {}

  #routeLevels(callbacks: StreamFilterCallbacks): readonly Mutations[] {
    if (this.#levels === null) {
      const levels = callbacks.allRouteConfigs() as readonly Mutations[];
      this.#levels = this.#config.mostSpecificWins || levels.length < 2 ? levels : levels.toReversed();
    }
    return this.#levels;
  }
}

function contextOf(
  callbacks: StreamFilterCallbacks,
  request: RequestHead | null,
  response: ResponseHead | null,
  trailers: HeaderMap | null,
): FormatterContext {
  return { request, response, trailers, streamInfo: callbacks.streamInfo, localReplyBody: '' };
}
