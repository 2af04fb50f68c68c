import { Buffer } from 'node:buffer';

/** Tags of X.690 that certificates use. */
export const DerTag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Null: 0x05,
  Oid: 0x06,
  Enumerated: 0x0a,
  Utf8String: 0x0c,
  BmpString: 0x1e,
  UniversalString: 0x1c,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  Sequence: 0x30,
  Set: 0x31,
} as const;

/** Thrown for octets that are not DER; caught where the certificate came in. */
export class DerError extends Error {
  override readonly name: string = 'DerError';
}

/** Walks DER elements in `bytes[at, end)`. After `next`, the element's tag and content bounds are in the fields. */
export class DerReader {
  readonly bytes: Uint8Array;
  #at: number;
  readonly #end: number;
  tag = 0;
  /** First octet of the element, its header included. */
  start = 0;
  contentStart = 0;
  contentEnd = 0;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** The tag of the next element, or -1 at the end. */
  peekTag(): number {
    return this.done ? -1 : this.bytes[this.#at]!;
  }

  /** Moves to the next element; with `tag`, it must be that one. */
  next(tag = -1): this {
    const { bytes } = this;
    let at = this.#at;
    if (at + 2 > this.#end) throw new DerError('truncated');
    this.start = at;
    this.tag = bytes[at++]!;
    let length = bytes[at++]!;
    if (length > 0x84 || length === 0x80) throw new DerError('bad length');
    if (length > 0x80) {
      const octets = length - 0x80;
      length = 0;
      for (let left = octets; left > 0; left--) {
        if (at >= this.#end) throw new DerError('truncated');
        length = length * 256 + bytes[at++]!;
      }
      // DER has one form for each length: X.690 section 10.1.
      if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerError('length is not minimal');
    }
    if (at + length > this.#end) throw new DerError('truncated');
    if (tag !== -1 && this.tag !== tag) throw new DerError(`tag ${this.tag} where ${tag} was expected`);
    this.contentStart = at;
    this.contentEnd = at + length;
    this.#at = this.contentEnd;
    return this;
  }

  /** A reader of the current element's content. */
  inside(): DerReader {
    return new DerReader(this.bytes, this.contentStart, this.contentEnd);
  }

  /** The current element's content. */
  content(): Uint8Array {
    return this.bytes.subarray(this.contentStart, this.contentEnd);
  }

  /** The whole current element. */
  element(): Uint8Array {
    return this.bytes.subarray(this.start, this.contentEnd);
  }

  /** The current element's content as text, one character an octet. */
  text(): string {
    let text = '';
    for (let i = this.contentStart; i < this.contentEnd; i++) text += String.fromCharCode(this.bytes[i]!);
    return text;
  }

  /** The current element's content in lower-case hexadecimal. */
  hex(): string {
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + this.contentStart, this.contentEnd - this.contentStart).toString('hex');
  }

  /** The current element, a BOOLEAN. */
  boolean(): boolean {
    const octet = this.bytes[this.contentStart]!;
    if (this.contentEnd - this.contentStart !== 1 || (octet !== 0 && octet !== 0xff)) throw new DerError('bad boolean');
    return octet !== 0;
  }

  /** Throws when something is left. */
  end(): void {
    if (!this.done) throw new DerError('octets after the end');
  }

  /** The current element as a small non-negative integer. */
  integer(): number {
    let value = 0;
    if (this.contentEnd === this.contentStart) throw new DerError('empty integer');
    if ((this.bytes[this.contentStart]! & 0x80) !== 0) throw new DerError('negative integer');
    if (this.contentEnd - this.contentStart > 6) throw new DerError('integer too large');
    for (let i = this.contentStart; i < this.contentEnd; i++) value = value * 256 + this.bytes[i]!;
    return value;
  }

  /** The current element as an object identifier in dotted form. */
  oid(): string {
    const parts: number[] = [];
    let value = 0;
    for (let i = this.contentStart; i < this.contentEnd; i++) {
      const octet = this.bytes[i]!;
      value = value * 128 + (octet & 0x7f);
      if (octet < 0x80) {
        if (parts.length === 0) {
          const first = Math.min(2, Math.floor(value / 40));
          parts.push(first, value - first * 40);
        } else parts.push(value);
        value = 0;
      }
    }
    return parts.join('.');
  }

  /** The current element, a UTCTime or GeneralizedTime, as milliseconds since the epoch. */
  timeMs(): number {
    const text = this.text();
    const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
    if (match === null) throw new DerError('bad time');
    const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const full = match[1]!.length === 4 ? year : year < 50 ? 2000 + year : 1900 + year; // RFC 5280 section 4.1.2.5.1
    return Date.UTC(full, month - 1, day, hour, minute, second);
  }
}
