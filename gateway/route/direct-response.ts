import { Buffer } from 'node:buffer';
import type { Formatter } from '#gateway/api/access-log.ts';
import type { DirectResponseEntry } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { HeadFormatContext } from './format-context.ts';
import type { HeaderLayers } from './header-layers.ts';
import type { Redirect } from './redirect.ts';

/** A route that answers by itself. */
export class DirectResponse implements DirectResponseEntry {
  readonly status: number;
  readonly body: string;
  readonly #redirect: Redirect | null;
  readonly #format: Formatter | null;
  readonly #contentType: string;
  readonly #headers: HeaderLayers;

  /** `body` is octets as latin-1 text; `contentType` '' leaves text/plain. */
  constructor(
    status: number,
    body: string,
    format: Formatter | null,
    contentType: string,
    redirect: Redirect | null,
    headers: HeaderLayers,
  ) {
    this.status = status;
    this.body = body;
    this.#format = format;
    this.#contentType = contentType;
    this.#redirect = redirect;
    this.#headers = headers;
  }

  location(head: RequestHead): string | null {
    return this.#redirect === null ? null : this.#redirect.location(head);
  }

  formatBody(head: RequestHead, streamInfo: StreamInfo): string | Uint8Array {
    if (this.#format === null) return Buffer.from(this.body, 'latin1');
    const text = this.#format.format(new HeadFormatContext(head, null, streamInfo, this.body));
    return Buffer.from(text, 'latin1');
  }

  finalizeResponseHeaders(head: ResponseHead, requestHead: RequestHead, streamInfo: StreamInfo): void {
    if (this.#contentType !== '') head.headers.set('content-type', this.#contentType);
    this.#headers.applyToResponse(head, requestHead, streamInfo);
  }
}
