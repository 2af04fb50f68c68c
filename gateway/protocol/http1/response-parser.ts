import { HeaderMap } from '../headers/header-map.ts';
import { ResponseHead } from '../headers/message-head.ts';
import type { HeadScanner } from './head-scanner.ts';
import { Http1Error } from './http1-error.ts';
import type { Http1Options } from './http1-options.ts';
import { MessageFields } from './message-fields.ts';
import { BodyKind } from './request-parser.ts';

/** What the request was, as far as it decides how its response is framed. */
export const RequestKind = { Plain: 0, Head: 1, Connect: 2, Upgrade: 3 } as const;
/** @see RequestKind */
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

const noHead = new ResponseHead(0);

/** Makes a `ResponseHead` and its framing of what the scanner found. Results are good until the next `parse`. */
export class ResponseParser {
  head: ResponseHead = noHead;
  body: BodyKind = BodyKind.None;
  /** Octets of a body of kind `Length`. */
  bodyOctets = 0;
  /** Whether the connection outlives this exchange as far as the response says. */
  persistent = true;
  minorVersion = 1;
  readonly #fields = new MessageFields();

  /** Reads the head that `scanner` found in `bytes`, the answer to a request of `kind`. */
  parse(scanner: HeadScanner, bytes: Uint8Array, options: Http1Options, kind: RequestKind): Http1Error {
    const fields = this.#fields;
    this.minorVersion = scanner.minorVersion;
    let error = fields.collect(scanner, bytes, options, false);
    if (error !== Http1Error.None) return error;
    const status = scanner.status;
    this.persistent = this.minorVersion === 1 ? !fields.close : fields.keepAlive && !fields.close;
    error = this.#decideBody(status, kind);
    if (error !== Http1Error.None) return error;
    this.head = new ResponseHead(status, new HeaderMap(fields.entries));
    return Http1Error.None;
  }

  /** Lets go of what the last head refers to. */
  release(): void {
    this.head = noHead;
    this.#fields.release();
  }

  /** RFC 9112 section 6.3, in its order. */
  #decideBody(status: number, kind: RequestKind): Http1Error {
    const fields = this.#fields;
    this.bodyOctets = Math.max(fields.contentLength, 0);
    if (status < 200 || status === 204) {
      if (fields.chunked) return Http1Error.TransferEncodingNotAllowed;
      if (fields.contentLength > 0) return Http1Error.ContentLengthNotAllowed;
      if (fields.contentLength === 0) fields.removeEntry('content-length');
      this.body = BodyKind.None;
      if (status === 101) {
        if (kind !== RequestKind.Upgrade || fields.upgrade === '' || this.minorVersion === 0) return Http1Error.Syntax;
        fields.keepUpgrade();
        this.body = BodyKind.Tunnel;
      }
      return Http1Error.None;
    }
    if (kind === RequestKind.Connect && status < 300) {
      fields.removeEntry('content-length');
      this.body = BodyKind.Tunnel;
      return Http1Error.None;
    }
    if (kind === RequestKind.Head || status === 304) {
      this.body = BodyKind.None;
      return Http1Error.None;
    }
    if (fields.chunked) this.body = BodyKind.Chunked;
    else if (fields.contentLength >= 0) this.body = fields.contentLength > 0 ? BodyKind.Length : BodyKind.None;
    else {
      this.body = BodyKind.UntilClose;
      this.persistent = false;
    }
    return Http1Error.None;
  }
}
