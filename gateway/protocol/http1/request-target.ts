import { isValidAuthority, isValidConnectTarget } from '../headers/authority.ts';
import { Http1Error } from './http1-error.ts';

/**
 * Takes a request target apart. RFC 9112 section 3.2. Results are in the fields, good until the next `parse`; one serves
 * all connections. The scanner has checked the characters.
 */
export class RequestTarget {
  path = '';
  /** From authority-form and absolute-form; null when the target has none. */
  authority: string | null = null;
  /** From absolute-form, else ''. */
  scheme = '';

  /** Reads `target` of a request with `method`. */
  parse(method: string, target: string, allowAbsolute: boolean): Http1Error {
    this.authority = null;
    this.scheme = '';
    this.path = target;
    if (method === 'CONNECT') {
      if (!isValidConnectTarget(target)) return Http1Error.InvalidUrl;
      this.path = '';
      this.authority = target;
      return Http1Error.None;
    }
    if (target.charCodeAt(0) === 0x2f) return Http1Error.None;
    if (target === '*') return method === 'OPTIONS' ? Http1Error.None : Http1Error.InvalidUrl;
    return this.#parseAbsolute(target, allowAbsolute);
  }

  #parseAbsolute(target: string, allowed: boolean): Http1Error {
    const schemeEnd = target.indexOf('://');
    if (schemeEnd <= 0) return Http1Error.InvalidUrl;
    const scheme = target.slice(0, schemeEnd).toLowerCase();
    if (scheme !== 'http' && scheme !== 'https') return Http1Error.InvalidScheme;
    if (!allowed) return Http1Error.InvalidUrl;
    const start = schemeEnd + 3;
    let end = start;
    while (end < target.length && target.charCodeAt(end) !== 0x2f && target.charCodeAt(end) !== 0x3f) end++;
    const authority = target.slice(start, end);
    if (authority === '' || authority.charCodeAt(0) === 0x3a || !isValidAuthority(authority))
      return Http1Error.InvalidUrl;
    const rest = target.slice(end);
    this.scheme = scheme;
    this.authority = authority;
    this.path = rest.charCodeAt(0) === 0x2f ? rest : `/${rest}`;
    return Http1Error.None;
  }
}
