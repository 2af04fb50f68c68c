import type { FormatterContext } from '#gateway/api/access-log.ts';
import {
  type EncoderFilterCallbacks,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamFilterCallbacks,
} from '#gateway/api/http-filter.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
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
export class HeaderMutationFilter extends PassThroughFilter {
  readonly #config: HeaderMutationConfig;
  #encoder: EncoderFilterCallbacks | null = null;
  /** In the order they apply; taken from the route once, so that a new route choice changes nothing. */
  #levels: readonly Mutations[] | null = null;

  constructor(config: HeaderMutationConfig) {
    super();
    this.#config = config;
  }

  override setEncoderFilterCallbacks(callbacks: EncoderFilterCallbacks): void {
    this.#encoder = callbacks;
  }

  override decodeHeaders(head: RequestHead, _endStream: boolean): FilterHeadersStatus {
    const callbacks = this.callbacks;
    const context = contextOf(callbacks, head, null, null);
    mutateRequest(this.#config.mutations, head, context);
    for (const level of this.#routeLevels(callbacks)) mutateRequest(level, head, context);
    return FilterHeadersStatus.Continue;
  }

  override decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const callbacks = this.callbacks;
    const context = contextOf(callbacks, callbacks.requestHead, null, null);
    mutateTrailers(this.#config.mutations.requestTrailers, trailers, context);
    for (const level of this.#routeLevels(callbacks)) mutateTrailers(level.requestTrailers, trailers, context);
    return FilterTrailersStatus.Continue;
  }

  override encodeHeaders(head: ResponseHead, _endStream: boolean): FilterHeadersStatus {
    const callbacks = this.#encoder!;
    const context = contextOf(callbacks, callbacks.requestHead, head, null);
    mutateResponse(this.#config.mutations, head, context);
    for (const level of this.#routeLevels(callbacks)) mutateResponse(level, head, context);
    return FilterHeadersStatus.Continue;
  }

  override encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const callbacks = this.#encoder!;
    const context = contextOf(callbacks, callbacks.requestHead, callbacks.responseHead, trailers);
    mutateTrailers(this.#config.mutations.responseTrailers, trailers, context);
    for (const level of this.#routeLevels(callbacks)) mutateTrailers(level.responseTrailers, trailers, context);
    return FilterTrailersStatus.Continue;
  }

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
