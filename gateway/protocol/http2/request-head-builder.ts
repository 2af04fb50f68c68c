import { parseContentLength } from '../headers/content-length.ts';
import { HeaderMap } from '../headers/header-map.ts';
import { RequestHead } from '../headers/message-head.ts';
import type { FieldSink } from '../hpack/decoder.ts';
import { FieldKind } from '../hpack/field-kind.ts';
import { Details } from './details.ts';
import { HeadLimits } from './head-limits.ts';
import type { Http2Options } from './options.ts';
import type { Http2Stats } from './stats.ts';

/** Stands for "none under way"; never written to. */
const noEntries: string[] = [];

/**
 * Gathers the fields of a request and checks what RFC 9113 sections 8.2 and 8.3.1 ask of them together; each field alone
 * was judged by its kind. One builder serves one connection.
 */
export class RequestHeadBuilder implements FieldSink {
  readonly #options: Http2Options;
  readonly #stats: Http2Stats;
  readonly limits: HeadLimits;
  #method = '';
  #path = '';
  #scheme = '';
  #authority = '';
  #protocol = '';
  #host = '';
  #entries: string[] = noEntries; // given away with the head
  #cookieAt = -1;
  #regularSeen = false;
  /** Why the request is malformed, null when it is not. */
  malformed: Details | null = null;
  /** Value of Content-Length, -1 without one. */
  contentLength = -1;

  constructor(options: Http2Options, stats: Http2Stats) {
    this.#options = options;
    this.#stats = stats;
    this.limits = new HeadLimits(options);
  }

  /** Begins a new request. */
  reset(): void {
    this.limits.reset();
    this.#method = '';
    this.#path = '';
    this.#scheme = '';
    this.#authority = '';
    this.#protocol = '';
    this.#host = '';
    this.#entries = [];
    this.#cookieAt = -1;
    this.#regularSeen = false;
    this.malformed = null;
    this.contentLength = -1;
  }

  onField(name: string, value: string, kind: FieldKind): void {
    if (!this.limits.take(name, value)) return;
    switch (kind) {
      case FieldKind.Regular:
      case FieldKind.Te:
        this.#regularSeen = true;
        this.#entries.push(name, value);
        return;
      case FieldKind.Method:
        this.#pseudo(this.#method);
        this.#method = value;
        return;
      case FieldKind.Path:
        this.#pseudo(this.#path);
        this.#path = value;
        return;
      case FieldKind.Scheme:
        this.#pseudo(this.#scheme);
        this.#scheme = value;
        return;
      case FieldKind.Authority:
        this.#pseudo(this.#authority);
        this.#authority = value;
        return;
      case FieldKind.Protocol:
        this.#pseudo(this.#protocol);
        this.#protocol = value;
        return;
      default:
        this.#special(name, value, kind);
    }
  }

  #pseudo(earlier: string): void {
    if (this.#regularSeen || earlier !== '') this.#fail(Details.MessagingRule);
  }

  #special(name: string, value: string, kind: FieldKind): void {
    this.#regularSeen = true;
    switch (kind) {
      case FieldKind.Cookie:
        // Crumbs are one header again before they leave HTTP/2: RFC 9113 section 8.2.3.
        if (this.#cookieAt < 0) {
          this.#cookieAt = this.#entries.length;
          this.#entries.push(name, value);
        } else {
          this.#entries[this.#cookieAt + 1] += `; ${value}`;
        }
        return;
      case FieldKind.Host:
        if (this.#host !== '') this.#fail(Details.MessagingRule);
        this.#host = value;
        return;
      case FieldKind.ContentLength:
        if (this.contentLength >= 0) this.#fail(Details.InvalidHeaderField);
        this.contentLength = parseContentLength(value);
        this.#entries.push(name, value);
        return;
      case FieldKind.Underscore:
        this.#underscore(name, value);
        return;
      default:
        this.#fail(Details.InvalidHeaderField); // a status, or anything that is never allowed
    }
  }

  #underscore(name: string, value: string): void {
    switch (this.#options.headersWithUnderscores) {
      case 'allow':
        this.#entries.push(name, value);
        return;
      case 'drop':
        this.#stats.droppedHeadersWithUnderscores.inc();
        return;
      case 'reject':
        this.#stats.requestsRejectedWithUnderscoresInHeaders.inc();
        this.#fail(Details.UnexpectedUnderscore);
    }
  }

  /** Whether the request is an extended CONNECT; it has been turned into its HTTP/1.1 upgrade form. RFC 8441. */
  get isUpgrade(): boolean {
    return this.#protocol !== '';
  }

  /** The finished head, or null when `malformed` says why there is none. Limits are the caller's to look at first. */
  finish(): RequestHead | null {
    // With :authority, Host is not looked at: Envoy routes by the former and forwards one of them.
    if (this.#authority === '') this.#authority = this.#host;
    if (this.malformed === null && !this.#complete()) this.malformed = Details.MessagingRule;
    if (this.malformed !== null) return null;
    const entries = this.#entries;
    this.#entries = noEntries;
    let method = this.#method;
    if (this.#protocol !== '') {
      method = 'GET';
      entries.push('connection', 'upgrade', 'upgrade', this.#protocol);
    }
    return new RequestHead(method, this.#path, this.#authority, this.#scheme, new HeaderMap(entries));
  }

  #complete(): boolean {
    if (this.#authority === '') return false;
    if (this.#method === 'CONNECT') {
      if (this.#protocol === '') return this.#path === '' && this.#scheme === '';
      return this.#options.allowConnect && this.#path !== '' && this.#scheme !== '';
    }
    if (this.#method === '' || this.#scheme === '' || this.#protocol !== '') return false;
    if (this.#path === '*') return this.#method === 'OPTIONS';
    return this.#path !== '';
  }

  #fail(details: Details): void {
    if (this.malformed === null) this.malformed = details;
  }
}
