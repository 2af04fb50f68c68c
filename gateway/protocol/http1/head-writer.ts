import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { EncodeStatus } from '../codec.ts';
import { hasListToken, tokenLower } from '../headers/characters.ts';
import { parseContentLength } from '../headers/content-length.ts';
import type { RequestHead, ResponseHead } from '../headers/message-head.ts';
import { isValidPath } from '../headers/path.ts';
import { statusLine } from './status-line.ts';

/** Longest thing written after the entries: `connection: keep-alive` and a framing header, and the final CRLF. */
const tailOctets = 128;

const lengthZero = octetsOf('content-length: 0\r\n');
const chunkedLine = octetsOf('transfer-encoding: chunked\r\n');
const closeLine = octetsOf('connection: close\r\n');
const keepAliveLine = octetsOf('connection: keep-alive\r\n');
const upgradeLine = octetsOf('connection: upgrade\r\n');
const lengthZeroProper = octetsOf('Content-Length: 0\r\n');
const chunkedLineProper = octetsOf('Transfer-Encoding: chunked\r\n');
const closeLineProper = octetsOf('Connection: close\r\n');
const keepAliveLineProper = octetsOf('Connection: keep-alive\r\n');
const upgradeLineProper = octetsOf('Connection: Upgrade\r\n');
const requestLineEnd = octetsOf(' HTTP/1.1\r\nhost: ');
const requestLineEndProper = octetsOf(' HTTP/1.1\r\nHost: ');

function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/**
 * Writes message heads straight into the open slab of an output buffer, checking every octet on the way: a name that is
 * not a token or a value with CR, LF, NUL or another control character is `Invalid` and nothing of the head is written.
 * Hop-by-hop fields of the map are left out; the caller says which of them the new hop wants. One serves all connections.
 *
 * Use: `begin…`, then any of the `put…` lines, then `finish`.
 */
export class HeadWriter {
  readonly #proper: boolean;
  /** Content-Length of the map, or -1. */
  contentLength = -1;
  /** Whether the map said `connection: close`. */
  close = false;
  /** Octets of the head, after `finish`. */
  octets = 0;
  #output: OutputBuffer | null = null;
  #slab: Uint8Array = lengthZero;
  #at = 0;

  constructor(proper: boolean) {
    this.#proper = proper;
  }

  /** Status line and fields. `framed` false leaves Content-Length out: 1xx, 204, tunnels. `upgrade` keeps Upgrade. */
  beginResponse(
    output: OutputBuffer,
    head: ResponseHead,
    minorVersion: number,
    framed: boolean,
    upgrade: boolean,
  ): EncodeStatus {
    const status = head.status;
    if (!(status >= 100 && status <= 999) || status !== Math.floor(status)) return EncodeStatus.MissingRequired;
    const entries = head.headers.entries;
    const line = statusLine(status, minorVersion);
    this.#open(output, line.length + sizeOf(entries));
    this.#putOctets(line);
    return this.#putEntries(entries, framed, upgrade, false);
  }

  /** Request line, Host and fields. */
  beginRequest(
    output: OutputBuffer,
    head: RequestHead,
    fullUrl: boolean,
    framed: boolean,
    upgrade: boolean,
  ): EncodeStatus {
    const { method, path, authority } = head;
    const connect = method === 'CONNECT';
    const target = connect ? authority : path;
    if (method === '' || target === '') return EncodeStatus.MissingRequired;
    if (!connect && !isValidPath(path)) return EncodeStatus.Invalid;
    const entries = head.headers.entries;
    const scheme = fullUrl && !connect && path !== '*' ? head.scheme || 'http' : '';
    this.#open(output, method.length + target.length + 2 * authority.length + scheme.length + 24 + sizeOf(entries));
    const slab = this.#slab;
    let p = putName(slab, this.#at, method, false, true);
    if (p === -1) return EncodeStatus.Invalid;
    slab[p++] = 0x20;
    if (scheme !== '') p = putVisible(slab, p, `${scheme}://${authority}`);
    if (p !== -1) p = putVisible(slab, p, target);
    if (p === -1) return EncodeStatus.Invalid;
    const lineEnd = this.#proper ? requestLineEndProper : requestLineEnd;
    slab.set(lineEnd, p);
    p = putVisible(slab, p + lineEnd.length, authority);
    if (p === -1) return EncodeStatus.Invalid;
    slab[p++] = 0x0d;
    slab[p++] = 0x0a;
    this.#at = p;
    return this.#putEntries(entries, framed, upgrade, true);
  }

  /** Adds `content-length: 0`. */
  putLengthZero(): void {
    this.#putOctets(this.#proper ? lengthZeroProper : lengthZero);
  }

  /** Adds `transfer-encoding: chunked`. */
  putChunked(): void {
    this.#putOctets(this.#proper ? chunkedLineProper : chunkedLine);
  }

  /** Adds `connection: close`. */
  putClose(): void {
    this.#putOctets(this.#proper ? closeLineProper : closeLine);
  }

  /** Adds `connection: keep-alive`, for HTTP/1.0. */
  putKeepAlive(): void {
    this.#putOctets(this.#proper ? keepAliveLineProper : keepAliveLine);
  }

  /** Adds `connection: upgrade`. */
  putUpgrade(): void {
    this.#putOctets(this.#proper ? upgradeLineProper : upgradeLine);
  }

  /** Ends the head and hands it to the output. */
  finish(): void {
    const output = this.#output!;
    this.#slab[this.#at++] = 0x0d;
    this.#slab[this.#at++] = 0x0a;
    this.octets = this.#at - output.end;
    output.advance(this.octets);
    this.#output = null;
    this.#slab = lengthZero;
  }

  /** Writes trailer fields and the empty line after them. False: refused, nothing was written. */
  writeTrailers(output: OutputBuffer, entries: readonly string[]): boolean {
    this.#open(output, sizeOf(entries));
    if (this.#putEntries(entries, false, false, true) !== EncodeStatus.Ok) return false;
    this.finish();
    return true;
  }

  #open(output: OutputBuffer, octets: number): void {
    output.reserve(octets + tailOctets);
    this.#output = output;
    this.#slab = output.slab;
    this.#at = output.end;
    this.contentLength = -1;
    this.close = false;
  }

  #putOctets(octets: Uint8Array): void {
    const slab = this.#slab;
    let p = this.#at;
    for (let i = 0; i < octets.length; i++) slab[p++] = octets[i]!;
    this.#at = p;
  }

  #putEntries(entries: readonly string[], framed: boolean, upgrade: boolean, isRequest: boolean): EncodeStatus {
    const slab = this.#slab;
    const proper = this.#proper;
    let p = this.#at;
    for (let i = 0; i < entries.length; i += 2) {
      const name = entries[i]!;
      const value = entries[i + 1]!;
      switch (name.length) {
        case 4:
          if (isRequest && name === 'host') continue;
          break;
        case 7:
          if (!upgrade && name === 'upgrade') continue;
          break;
        case 10:
          if (name === 'keep-alive') continue;
          if (name === 'connection') {
            if (hasListToken(value, 'close')) this.close = true;
            continue;
          }
          break;
        case 14:
          if (name !== 'content-length') break;
          if (!framed) continue;
          if (this.contentLength !== -1) return EncodeStatus.Invalid;
          this.contentLength = parseContentLength(value);
          if (this.contentLength === -1) return EncodeStatus.Invalid;
          break;
        case 16:
          if (name === 'proxy-connection') continue;
          break;
        case 17:
          if (name === 'transfer-encoding') continue;
          break;
        default:
      }
      p = putName(slab, p, name, proper, false);
      if (p === -1) return EncodeStatus.Invalid;
      slab[p] = 0x3a;
      slab[p + 1] = 0x20;
      p = putValue(slab, p + 2, value);
      if (p === -1) return EncodeStatus.Invalid;
      slab[p] = 0x0d;
      slab[p + 1] = 0x0a;
      p += 2;
    }
    this.#at = p;
    return EncodeStatus.Ok;
  }
}

/** Octets the entries take with separators. */
function sizeOf(entries: readonly string[]): number {
  let octets = entries.length * 2;
  for (let i = 0; i < entries.length; i++) octets += entries[i]!.length;
  return octets;
}

/** Writes a token, in Proper-Case when asked; `anyCase` lets upper case through (methods). -1: not a token. */
function putName(slab: Uint8Array, at: number, name: string, proper: boolean, anyCase: boolean): number {
  const length = name.length;
  let start = proper;
  let p = at;
  if (length === 0) return -1;
  for (let i = 0; i < length; i++) {
    let code = name.charCodeAt(i);
    if (code > 0x7f) return -1;
    const lower = tokenLower[code]!;
    if (lower === 0 || (lower !== code && !anyCase)) return -1;
    if (start && code >= 0x61 && code <= 0x7a) code -= 0x20;
    start = proper && code === 0x2d;
    slab[p++] = code;
  }
  return p;
}

/** Writes a field value. -1: it holds a control character or something above U+00FF. */
function putValue(slab: Uint8Array, at: number, value: string): number {
  const length = value.length;
  let p = at;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return -1;
    slab[p++] = code;
  }
  return p;
}

/** Writes visible ASCII: a target or an authority. -1: anything else is in it. */
function putVisible(slab: Uint8Array, at: number, text: string): number {
  const length = text.length;
  let p = at;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) return -1;
    slab[p++] = code;
  }
  return p;
}
