import { parseContentLength } from '../headers/content-length.ts';
import { HeaderMap } from '../headers/header-map.ts';
import { ResponseHead } from '../headers/message-head.ts';
import type { FieldSink } from '../hpack/decoder.ts';
import { FieldKind } from '../hpack/field-kind.ts';
import { Details } from './details.ts';
import { HeadLimits } from './head-limits.ts';
import type { Http2Options } from './options.ts';

/** Stands for "none under way"; never written to. */
const noEntries: string[] = [];

/** Gathers and checks the fields of a response, interim or final. RFC 9113 section 8.3.2. One serves one connection. */
export class ResponseHeadBuilder implements FieldSink {
  readonly limits: HeadLimits;
  #status = 0;
  #entries: string[] = noEntries; // given away with the head
  #regularSeen = false;
  /** Why the response is malformed, null when it is not. */
  malformed: Details | null = null;
  /** Value of Content-Length, -1 without one. */
  contentLength = -1;

  constructor(options: Http2Options) {
    this.limits = new HeadLimits(options);
  }

  /** Begins a new response. */
  reset(): void {
    this.limits.reset();
    this.#status = 0;
    this.#entries = [];
    this.#regularSeen = false;
    this.malformed = null;
    this.contentLength = -1;
  }

  onField(name: string, value: string, kind: FieldKind): void {
    if (!this.limits.take(name, value)) return;
    switch (kind) {
      case FieldKind.Status:
        if (this.#regularSeen || this.#status !== 0) this.#fail(Details.MessagingRule);
        this.#status = Number(value);
        return;
      case FieldKind.Method:
      case FieldKind.Path:
      case FieldKind.Scheme:
      case FieldKind.Authority:
      case FieldKind.Protocol:
        this.#fail(Details.MessagingRule);
        return;
      case FieldKind.Invalid:
        this.#fail(Details.InvalidHeaderField);
        return;
      case FieldKind.ContentLength:
        if (this.contentLength >= 0) this.#fail(Details.InvalidHeaderField);
        this.contentLength = parseContentLength(value);
        break;
      default:
    }
    this.#regularSeen = true;
    this.#entries.push(name, value);
  }

  /** The finished head, or null when `malformed` says why there is none. */
  finish(): ResponseHead | null {
    // 101 does not exist in HTTP/2: RFC 9113 section 8.6.
    if (this.#status === 0 || this.#status === 101) this.#fail(Details.MessagingRule);
    const entries = this.#entries;
    this.#entries = noEntries;
    return this.malformed === null ? new ResponseHead(this.#status, new HeaderMap(entries)) : null;
  }

  #fail(details: Details): void {
    if (this.malformed === null) this.malformed = details;
  }
}
