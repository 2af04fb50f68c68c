import { isValidAuthority } from '../headers/authority.ts';
import { HeaderMap } from '../headers/header-map.ts';
import { RequestHead } from '../headers/message-head.ts';
import { knownMethods } from '../headers/methods.ts';
import type { HeadScanner } from './head-scanner.ts';
import { Http1Error } from './http1-error.ts';
import type { Http1Options } from './http1-options.ts';
import { MessageFields } from './message-fields.ts';
import { RequestTarget } from './request-target.ts';

/** How the body of a message is delimited. RFC 9112 section 6.3. `Tunnel`: raw octets after CONNECT or an upgrade. */
export const BodyKind = { None: 0, Length: 1, Chunked: 2, UntilClose: 3, Tunnel: 4 } as const;
/** @see BodyKind */
export type BodyKind = (typeof BodyKind)[keyof typeof BodyKind];

const noHead = new RequestHead('', '', '', '', new HeaderMap());

/**
 * Makes a `RequestHead` and its framing of what the scanner found. Results are good until the next `parse`; one serves
 * all connections.
 */
export class RequestParser {
  head: RequestHead = noHead;
  body: BodyKind = BodyKind.None;
  /** Octets of a body of kind `Length`. */
  bodyOctets = 0;
  /** Whether the connection outlives this exchange as far as the request says. RFC 9112 section 9.3. */
  persistent = true;
  minorVersion = 1;
  readonly #fields = new MessageFields();
  readonly #target = new RequestTarget();
  #lastHost = ''; // the last authority found valid: most requests of a process are for few hosts

  /** Reads the head that `scanner` found in `bytes`. */
  parse(scanner: HeadScanner, bytes: Uint8Array, options: Http1Options): Http1Error {
    const fields = this.#fields;
    const target = this.#target;
    const minorVersion = scanner.minorVersion;
    this.minorVersion = minorVersion;
    if (minorVersion === 0 && !options.acceptHttp10) return Http1Error.LowVersion;
    let error = fields.collect(scanner, bytes, options, true);
    if (error !== Http1Error.None) return error;
    const base = scanner.start;
    const method = readMethod(fields.text, scanner.methodEnd - base);
    if (!knownMethods.has(method) && !options.allowCustomMethods) return Http1Error.Syntax;
    if (scanner.hasFragment) return Http1Error.PathWithFragment;
    const targetText = fields.text.substring(scanner.targetStart - base, scanner.targetEnd - base);
    error = target.parse(method, targetText, options.allowAbsoluteUrl);
    if (error !== Http1Error.None) return error;

    let authority = fields.host;
    if (authority === null) {
      if (minorVersion === 1) return Http1Error.MissingHost;
      authority = options.defaultHostForHttp10;
    } else if (authority !== this.#lastHost) {
      if (!isValidAuthority(authority)) return Http1Error.InvalidAuthority;
      this.#lastHost = authority;
    }
    if (target.authority !== null) authority = target.authority; // RFC 9112 section 3.2.2: Host is then ignored
    this.persistent = minorVersion === 1 ? !fields.close : fields.keepAlive && !fields.close;
    error = this.#decideBody(method, options);
    if (error !== Http1Error.None) return error;
    this.head = new RequestHead(method, target.path, authority, target.scheme, new HeaderMap(fields.entries));
    return Http1Error.None;
  }

  /** Lets go of what the last head refers to. */
  release(): void {
    this.head = noHead;
    this.#fields.release();
  }

  #decideBody(method: string, options: Http1Options): Http1Error {
    const fields = this.#fields;
    this.bodyOctets = Math.max(fields.contentLength, 0);
    const hasBody = fields.chunked || fields.contentLength > 0;
    if (method === 'CONNECT') {
      if (fields.chunked) return Http1Error.InvalidTransferEncoding;
      if (hasBody) return Http1Error.BodyDisallowed;
      fields.removeEntry('content-length');
      this.body = BodyKind.Tunnel;
      return Http1Error.None;
    }
    if (fields.upgrade !== '' && this.minorVersion === 1 && this.#takesUpgrade(options)) {
      // A body before the tunnel would leave open which octets belong to which, so such a request is refused.
      if (hasBody) return Http1Error.BodyDisallowed;
      fields.removeEntry('content-length');
      fields.keepUpgrade();
      this.body = BodyKind.Tunnel;
      return Http1Error.None;
    }
    if (fields.chunked) this.body = BodyKind.Chunked;
    else this.body = hasBody ? BodyKind.Length : BodyKind.None;
    return Http1Error.None;
  }

  /** An upgrade to HTTP/2 over cleartext is ignored (RFC 9113 section 3.1), and so is what the configuration names. */
  #takesUpgrade(options: Http1Options): boolean {
    const protocol = this.#fields.upgrade;
    if (protocol.toLowerCase() === 'h2c') return false;
    return options.ignoreUpgrade === null || !options.ignoreUpgrade(protocol);
  }
}

function readMethod(text: string, end: number): string {
  // The two usual methods without a new string.
  if (end === 3 && text.startsWith('GET')) return 'GET';
  if (end === 4 && text.startsWith('POST')) return 'POST';
  return text.substring(0, end);
}
