import { HeaderMap } from './header-map.ts';

/**
 * The head of a request, whichever version it came in. HTTP/2 pseudo-headers and the HTTP/1.1 request line and Host are
 * the fields; everything else is in `headers`.
 *
 * An upgrade travels in its HTTP/1.1 form (`connection: upgrade`, `upgrade: X`, method GET) on both sides; the HTTP/2
 * codecs translate it to and from extended CONNECT (RFC 8441). A plain CONNECT has an empty `path`.
 */
export class RequestHead {
  method: string;
  /** Path and query as received, e.g. `/a?b=c`; `*` for OPTIONS. */
  path: string;
  /** Host or :authority; empty when an HTTP/1.0 request had none. */
  authority: string;
  /** `http` or `https`; the codec sets what the wire says, or '' when the wire says nothing (HTTP/1.1 origin-form). */
  scheme: string;
  headers: HeaderMap;

  constructor(method: string, path: string, authority: string, scheme: string, headers: HeaderMap) {
    this.method = method;
    this.path = path;
    this.authority = authority;
    this.scheme = scheme;
    this.headers = headers;
  }

  /** A copy that can be changed on its own. */
  clone(): RequestHead {
    return new RequestHead(this.method, this.path, this.authority, this.scheme, this.headers.clone());
  }

  /** Reads a header or, by its name with a colon, a pseudo-header; `host` reads the authority. Null when absent. */
  get(name: string): string | null {
    if (name.charCodeAt(0) === 0x3a) {
      switch (name) {
        case ':path':
          return this.path === '' ? null : this.path;
        case ':method':
          return this.method;
        case ':authority':
          return this.authority;
        case ':scheme':
          return this.scheme === '' ? null : this.scheme;
        default:
          return null;
      }
    }
    if (name === 'host') return this.authority;
    return this.headers.getJoined(name);
  }
}

/** The head of a final or interim response. The reason phrase is not kept (RFC 9112 section 4). */
export class ResponseHead {
  /** Three digits. */
  status: number;
  headers: HeaderMap;

  constructor(status: number, headers: HeaderMap = new HeaderMap()) {
    this.status = status;
    this.headers = headers;
  }

  /** Reads a header, or `:status`. Null when absent. */
  get(name: string): string | null {
    return name === ':status' ? String(this.status) : this.headers.getJoined(name);
  }
}
