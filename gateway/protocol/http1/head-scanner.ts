import { tokenLower } from '../headers/characters.ts';
import { findKnownName } from '../headers/known-names.ts';
import { Http1Error } from './http1-error.ts';

/** How far a scan came. `Complete`: the offsets are good. `Failed`: `error` says why. */
export const ScanResult = { Complete: 0, Incomplete: 1, Failed: 2 } as const;
/** @see ScanResult */
export type ScanResult = (typeof ScanResult)[keyof typeof ScanResult];

/** Integers per field in `HeadScanner.fields`. */
export const fieldStride = 5;
/** In place of an index of a known name: a name that is not known, all in lower case or not. */
const unknownLower = -1;
/** @see unknownLower */
export const unknownMixed = -2;

/**
 * Finds and checks the parts of a message head, octet by octet, without making strings: RFC 9112 sections 2 to 5, as
 * strictly as they allow. Lines end in CRLF only; a lone CR or LF, a folded line, white space before the colon and
 * control characters are errors. Offsets are into the scanned array and good until the next scan; one scanner serves all
 * connections because nothing is called between a scan and its use.
 */
export class HeadScanner {
  /** Per field: start and end of the name, start and end of the value, index of the known name. */
  fields: Int32Array = new Int32Array(fieldStride * 128);
  /** Number of fields. */
  count = 0;
  /** First octet of the start line, after skipped empty lines. */
  start = 0;
  /** First octet after the head. */
  end = 0;
  error: Http1Error = Http1Error.None;

  /** Request line: end of the method; target; minor version; whether the target holds `#`. Status line: see below. */
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  hasFragment = false;
  minorVersion = 1;
  status = 0;

  /** Scans `[at, end)` for a request head with at most `maxCount` fields. */
  scanRequest(bytes: Uint8Array, at: number, end: number, maxCount: number): ScanResult {
    let p = at;
    while (p < end && bytes[p] === 0x0d) {
      // An empty line before the request line is ignored: RFC 9112 section 2.2.
      if (p + 1 === end) return ScanResult.Incomplete;
      if (bytes[p + 1] !== 0x0a) return this.#fail(Http1Error.Syntax);
      p += 2;
    }
    this.start = p;
    while (p < end && tokenLower[bytes[p]!] !== 0) p++;
    if (p === end) return ScanResult.Incomplete;
    if (bytes[p] !== 0x20 || p === this.start) return this.#fail(Http1Error.Syntax);
    this.methodEnd = p;
    this.targetStart = ++p;
    this.hasFragment = false;
    while (p < end) {
      const octet = bytes[p]!;
      if (octet <= 0x20 || octet >= 0x7f) break;
      if (octet === 0x23) this.hasFragment = true;
      p++;
    }
    if (p === end) return ScanResult.Incomplete;
    if (bytes[p] !== 0x20) {
      return this.#fail(isControl(bytes[p]!) ? Http1Error.InvalidCharacters : Http1Error.Syntax);
    }
    if (p === this.targetStart) return this.#fail(Http1Error.Syntax);
    this.targetEnd = p;
    const version = this.#scanVersion(bytes, p + 1, end);
    if (version !== ScanResult.Complete) return version;
    p += 9;
    if (p + 2 > end) return p === end || bytes[p] === 0x0d ? ScanResult.Incomplete : this.#fail(Http1Error.Syntax);
    if (bytes[p] !== 0x0d || bytes[p + 1] !== 0x0a) return this.#fail(Http1Error.Syntax);
    return this.scanFields(bytes, p + 2, end, maxCount);
  }

  /** Scans `[at, end)` for a response head with at most `maxCount` fields. The reason phrase may be missing. */
  scanResponse(bytes: Uint8Array, at: number, end: number, maxCount: number): ScanResult {
    this.start = at;
    const version = this.#scanVersion(bytes, at, end);
    if (version !== ScanResult.Complete) return version;
    let p = at + 8;
    let status = 0;
    for (let i = 0; i < 4; i++) {
      if (p + i >= end) return ScanResult.Incomplete;
      const octet = bytes[p + i]!;
      if (i === 0 ? octet !== 0x20 : octet < 0x30 || octet > 0x39) return this.#fail(Http1Error.Syntax);
      if (i > 0) status = status * 10 + octet - 0x30;
    }
    if (status < 100) return this.#fail(Http1Error.Syntax);
    this.status = status;
    p += 4;
    if (p < end && bytes[p] === 0x20) p = skipText(bytes, p + 1, end);
    if (p === end) return ScanResult.Incomplete;
    if (bytes[p] !== 0x0d) return this.#fail(isControl(bytes[p]!) ? Http1Error.InvalidCharacters : Http1Error.Syntax);
    if (p + 1 === end) return ScanResult.Incomplete;
    if (bytes[p + 1] !== 0x0a) return this.#fail(Http1Error.Syntax);
    return this.scanFields(bytes, p + 2, end, maxCount);
  }

  /** Scans field lines up to and with the empty line that ends them. Sets `count` and `end`. */
  scanFields(bytes: Uint8Array, at: number, end: number, maxCount: number): ScanResult {
    let fields = this.fields;
    let slot = 0;
    let count = 0;
    let p = at;
    for (;;) {
      const nameStart = p;
      let mixed = false;
      while (p < end) {
        const octet = bytes[p]!;
        const lower = tokenLower[octet]!;
        if (lower === 0) break;
        if (lower !== octet) mixed = true;
        p++;
      }
      if (p === end) return ScanResult.Incomplete;
      if (bytes[p] !== 0x3a || p === nameStart) {
        if (p !== nameStart || bytes[p] !== 0x0d) return this.#fail(Http1Error.Syntax);
        if (p + 1 === end) return ScanResult.Incomplete;
        if (bytes[p + 1] !== 0x0a) return this.#fail(Http1Error.Syntax);
        this.count = count;
        this.end = p + 2;
        return ScanResult.Complete;
      }
      if (++count > maxCount) return this.#fail(Http1Error.TooManyHeaders);
      const nameEnd = p++;
      while (p < end && (bytes[p] === 0x20 || bytes[p] === 0x09)) p++;
      const valueStart = p;
      while (p < end) {
        const octet = bytes[p]!;
        if ((octet < 0x20 && octet !== 0x09) || octet === 0x7f) break;
        p++;
      }
      if (p === end) return ScanResult.Incomplete;
      if (bytes[p] !== 0x0d) {
        return this.#fail(bytes[p] === 0x0a ? Http1Error.Syntax : Http1Error.InvalidCharacters);
      }
      if (p + 1 === end) return ScanResult.Incomplete;
      if (bytes[p + 1] !== 0x0a) return this.#fail(Http1Error.Syntax);
      let valueEnd = p;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === 0x20 || bytes[valueEnd - 1] === 0x09)) valueEnd--;
      p += 2;
      if (slot === fields.length) {
        fields = new Int32Array(slot * 2);
        fields.set(this.fields);
        this.fields = fields;
      }
      const known = findKnownName(bytes, nameStart, nameEnd);
      fields[slot] = nameStart;
      fields[slot + 1] = nameEnd;
      fields[slot + 2] = valueStart;
      fields[slot + 3] = valueEnd;
      fields[slot + 4] = known >= 0 ? known : mixed ? unknownMixed : unknownLower;
      slot += fieldStride;
    }
  }

  /** `HTTP/1.0` or `HTTP/1.1`, exactly, at `at`. */
  #scanVersion(bytes: Uint8Array, at: number, end: number): ScanResult {
    for (let i = 0; i < 8; i++) {
      if (at + i >= end) return ScanResult.Incomplete;
      const octet = bytes[at + i]!;
      if (i < 7 ? octet !== versionOctets[i] : octet !== 0x30 && octet !== 0x31) return this.#fail(Http1Error.Syntax);
    }
    this.minorVersion = bytes[at + 7]! - 0x30;
    return ScanResult.Complete;
  }

  #fail(error: Http1Error): ScanResult {
    this.error = error;
    return ScanResult.Failed;
  }
}

const versionOctets: Uint8Array = Uint8Array.from('HTTP/1.', (c) => c.charCodeAt(0));

/** A control character that is neither part of a line end nor HTAB. */
function isControl(octet: number): boolean {
  return octet === 0x7f || (octet < 0x20 && octet !== 0x0d && octet !== 0x0a && octet !== 0x09);
}

function skipText(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end) {
    const octet = bytes[p]!;
    if ((octet < 0x20 && octet !== 0x09) || octet === 0x7f) break;
    p++;
  }
  return p;
}
