import { Buffer } from 'node:buffer';

/**
 * The parts that protobuf messages are read from, for messages that come too often for a generic reader. What does not fit
 * sets `failed`, and then everything reads as empty; nothing throws. protobuf's encoding guide.
 */
export class WireReader {
  #buf: Buffer = noOctets;
  /** Where the next octet is read. */
  at = 0;
  /** The message is malformed. */
  failed = false;
  /** A text was no UTF-8. All such octets would become the same character, and so the same key. */
  badText = false;

  /** Begins at `bytes[at]`. The octets are the caller's; `end` lets go of them. */
  begin(bytes: Uint8Array, at: number): void {
    this.#buf = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.failed = false;
    this.badText = false;
  }

  /** Whether the message was well formed up to `end`. */
  end(end: number): boolean {
    this.#buf = noOctets;
    return !this.failed && this.at === end;
  }

  /** Whether there is another field before `end`. */
  more(end: number): boolean {
    return this.at < end && !this.failed;
  }

  /** End of the length-delimited field that begins here. */
  sub(end: number): number {
    const length = this.varint(end);
    if (length > end - this.at) {
      this.failed = true;
      return this.at;
    }
    return this.at + length;
  }

  text(end: number): string {
    const stop = this.sub(end);
    const text = this.#buf.toString('utf8', this.at, stop);
    if (text.includes('\ufffd') && Buffer.compare(Buffer.from(text), this.#buf.subarray(this.at, stop)) !== 0) {
      this.badText = true;
    }
    this.at = stop;
    return text;
  }

  /** A varint of up to 64 bits; above 2^53 its low digits are lost. */
  varint(end: number): number {
    const buf = this.#buf;
    let at = this.at;
    if (at < end && buf[at]! < 0x80) {
      this.at = at + 1;
      return buf[at]!;
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10 && at < end; i++) {
      const octet = buf[at++]!;
      if (i === 9 && octet > 1) break; // the tenth octet holds the 64th bit only
      value += (octet & 0x7f) * scale;
      if (octet < 0x80) {
        this.at = at;
        return value;
      }
      scale *= 128;
    }
    this.failed = true;
    return 0;
  }

  /** Passes over the field with this tag. */
  skip(tag: number, end: number): void {
    const wireType = tag & 7;
    if (tag < 8 || tag > maxTag) this.failed = true;
    else if (wireType === 0) this.varint(end);
    else if (wireType === 1) this.at += 8;
    else if (wireType === 2) this.at = this.sub(end);
    else if (wireType === 5) this.at += 4;
    else this.failed = true;
    if (this.at > end) this.failed = true;
  }
}

/** Of the highest field number, 2^29 - 1. */
const maxTag = 0xffff_ffff;

const noOctets: Buffer = Buffer.alloc(0);
