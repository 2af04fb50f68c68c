import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { HeadFormatContext } from './format-context.ts';
import type { HeaderMutations } from './header-mutations.ts';

/**
 * The header mutations that hold for one route, in the order they apply: most specific first, so that the least specific
 * wins, or the other way round with most_specific_header_mutations_wins.
 */
export class HeaderLayers {
  readonly #request: readonly HeaderMutations[];
  readonly #response: readonly HeaderMutations[];

  constructor(request: readonly HeaderMutations[], response: readonly HeaderMutations[]) {
    this.#request = request;
    this.#response = response;
  }

  /** Changes a request toward the upstream. */
  applyToRequest(head: RequestHead, streamInfo: StreamInfo): void {
    const layers = this.#request;
    if (layers.length === 0) return;
    const context = new HeadFormatContext(head, null, streamInfo);
    for (let i = 0; i < layers.length; i++) layers[i]!.apply(head, context);
  }

  /** Changes a response toward the client. */
  applyToResponse(head: ResponseHead, requestHead: RequestHead | null, streamInfo: StreamInfo): void {
    const layers = this.#response;
    if (layers.length === 0) return;
    const context = new HeadFormatContext(requestHead, head, streamInfo);
    for (let i = 0; i < layers.length; i++) layers[i]!.apply(head, context);
  }
}

/** One level's compiled mutations; null when it has none. */
export interface HeaderLevel {
  readonly request: HeaderMutations | null;
  readonly response: HeaderMutations | null;
}

/** Orders levels given most specific first. */
export function layerHeaders(levels: readonly HeaderLevel[], mostSpecificWins: boolean): HeaderLayers {
  const ordered = mostSpecificWins ? levels.toReversed() : levels;
  return new HeaderLayers(
    ordered.map((level) => level.request).filter((one) => one !== null),
    ordered.map((level) => level.response).filter((one) => one !== null),
  );
}
