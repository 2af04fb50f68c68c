import { latin1Slice } from '#gateway/runtime/latin1.ts';
import { hasListToken } from '../headers/characters.ts';
import { parseContentLength } from '../headers/content-length.ts';
import { FieldRole, knownNames, knownRoles } from '../headers/known-names.ts';
import { fieldStride, type HeadScanner, unknownMixed } from './head-scanner.ts';
import { Http1Error } from './http1-error.ts';
import type { Http1Options } from './http1-options.ts';

/** More nominated headers than this in one Connection header are refused, as Envoy does. */
const maxNominated = 10;

/** What a Connection header may not nominate: removing it would change who the next hop thinks is asking. */
const notNominable: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** Stands in between two heads; nothing is ever added to it. */
const noEntries: string[] = [];

/**
 * Turns a scanned head into header entries and framing facts. Hop-by-hop fields (RFC 9110 section 7.6.1) are consumed
 * here and do not reach the entries; `connection` and `upgrade` come back through `keepUpgrade`. One serves all
 * connections, like the scanner: results are good until the next `collect`.
 */
export class MessageFields {
  /** The whole head as text; offsets are relative to `base`. */
  text = '';
  base = 0;
  entries: string[] = noEntries;
  /** Host, or null when absent. */
  host: string | null = null;
  /** Content-Length, or -1 when absent. */
  contentLength = -1;
  chunked = false;
  /** Connection tokens. */
  close = false;
  keepAlive = false;
  /** The protocol of an Upgrade that Connection names too, as written, or ''. */
  upgrade = '';

  #connection = '';
  #upgradeValue = '';

  /** Reads the scanner's fields. `isRequest` decides what is refused and what is only dropped. */
  collect(scanner: HeadScanner, bytes: Uint8Array, options: Http1Options, isRequest: boolean): Http1Error {
    const base = scanner.start;
    const text = latin1Slice(bytes, base, scanner.end);
    const fields = scanner.fields;
    const entries: string[] = [];
    const checkUnderscores = isRequest && options.headersWithUnderscores !== 'allow';
    this.text = text;
    this.base = base;
    this.entries = entries;
    this.host = null;
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.upgrade = '';
    this.#connection = '';
    this.#upgradeValue = '';
    for (let slot = 0, end = scanner.count * fieldStride; slot < end; slot += fieldStride) {
      const value = text.substring(fields[slot + 2]! - base, fields[slot + 3]! - base);
      const known = fields[slot + 4]!;
      if (known >= 0) {
        const role = knownRoles[known]!;
        if (role === FieldRole.Plain) {
          entries.push(knownNames[known]!, value);
          continue;
        }
        const error = this.#takeSpecial(role as FieldRole, value, isRequest, scanner.minorVersion);
        if (error !== Http1Error.None) return error;
        continue;
      }
      let name = text.substring(fields[slot]! - base, fields[slot + 1]! - base);
      if (known === unknownMixed) name = name.toLowerCase();
      if (checkUnderscores && name.includes('_')) {
        if (options.headersWithUnderscores === 'reject') return Http1Error.Underscore;
        continue;
      }
      entries.push(name, value);
    }
    if (this.chunked && this.contentLength >= 0) {
      if (!options.allowChunkedLength) return Http1Error.ContentLengthAndChunked;
      this.contentLength = -1;
      this.removeEntry('content-length');
    }
    if (this.#connection !== '') return this.#applyConnection(isRequest);
    return Http1Error.None;
  }

  /** Puts the upgrade back into the entries, in the form the connection manager looks for. */
  keepUpgrade(): void {
    this.entries.push('connection', 'upgrade', 'upgrade', this.upgrade);
  }

  /** Lets go of what the last head refers to. */
  release(): void {
    this.text = '';
    this.entries = noEntries;
  }

  /** Drops every `name` from the entries. */
  removeEntry(name: string): void {
    const entries = this.entries;
    let kept = 0;
    for (let i = 0; i < entries.length; i += 2) {
      if (entries[i] === name) continue;
      entries[kept] = entries[i]!;
      entries[kept + 1] = entries[i + 1]!;
      kept += 2;
    }
    entries.length = kept;
  }

  #takeSpecial(role: FieldRole, value: string, isRequest: boolean, minorVersion: number): Http1Error {
    switch (role) {
      case FieldRole.Host:
        if (!isRequest) {
          this.entries.push('host', value);
          return Http1Error.None;
        }
        if (this.host !== null) return Http1Error.InvalidAuthority;
        this.host = value;
        return Http1Error.None;
      case FieldRole.ContentLength:
        if (this.contentLength !== -1) return Http1Error.Syntax;
        this.contentLength = parseContentLength(value);
        if (this.contentLength === -1) return Http1Error.Syntax;
        this.entries.push('content-length', value);
        return Http1Error.None;
      case FieldRole.TransferEncoding:
        if (minorVersion === 0) return Http1Error.TransferEncodingInHttp10;
        if (this.chunked || value.length !== 7) return Http1Error.InvalidTransferEncoding;
        if (value !== 'chunked' && value.toLowerCase() !== 'chunked') return Http1Error.InvalidTransferEncoding;
        this.chunked = true;
        return Http1Error.None;
      case FieldRole.Connection:
        this.#connection = this.#connection === '' ? value : `${this.#connection},${value}`;
        return Http1Error.None;
      case FieldRole.ProxyConnection:
        if (hasListToken(value, 'close')) this.close = true;
        return Http1Error.None;
      case FieldRole.Upgrade:
        this.#upgradeValue = this.#upgradeValue === '' ? value : `${this.#upgradeValue},${value}`;
        return Http1Error.None;
      case FieldRole.Te:
        if (hasListToken(value, 'trailers')) this.entries.push('te', 'trailers');
        return Http1Error.None;
      default: // Keep-Alive and HTTP2-Settings concern the old hop only
        return Http1Error.None;
    }
  }

  #applyConnection(isRequest: boolean): Http1Error {
    const connection = this.#connection;
    if (connection === 'keep-alive') {
      this.keepAlive = true;
      return Http1Error.None;
    }
    if (connection === 'close') {
      this.close = true;
      return Http1Error.None;
    }
    let nominated = 0;
    for (const part of connection.toLowerCase().split(',')) {
      const token = part.trim();
      switch (token) {
        case '':
          break;
        case 'close':
          this.close = true;
          break;
        case 'keep-alive':
          this.keepAlive = true;
          break;
        case 'upgrade':
          this.upgrade = this.#upgradeValue;
          break;
        case 'te': // passed on, reduced to `trailers`
        case 'http2-settings':
        case 'proxy-connection':
          break;
        default:
          if (isRequest && (++nominated > maxNominated || notNominable.has(token) || token.charCodeAt(0) === 0x3a)) {
            return Http1Error.ConnectionHeaderRejected;
          }
          this.removeEntry(token);
      }
    }
    return Http1Error.None;
  }
}
