import { Buffer } from 'node:buffer';
import type { DescriptorEntry, LimitDescriptor, LimitOverride, LimitRequest } from '../limiter/request.ts';

/**
 * Reads envoy.service.ratelimit.v3.RateLimitRequest. Written by hand because it runs for every request that an edge
 * gateway limits; a test compares it with the generic reader. Unknown fields are skipped.
 *
 * One reader serves one service. A request with a string that is no UTF-8 is malformed.
 */
export class RateLimitRequestReader {
  #buf: Buffer = Buffer.alloc(0);
  #at = 0;
  #failed = false;

  /** The request in `bytes[at, end)`, or null when it is malformed. Nothing of `bytes` is kept. */
  read(bytes: Uint8Array, at: number, end: number): LimitRequest | null {
    this.#buf = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#failed = false;
    const request = this.#request(end);
    const ok = !this.#failed && this.#at === end;
    this.#buf = Buffer.alloc(0);
    return ok ? request : null;
  }

  #request(end: number): LimitRequest {
    let domain = '';
    let hitsAddend = 0;
    const descriptors: LimitDescriptor[] = [];
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x0a) domain = this.#text(end);
      else if (tag === 0x12) descriptors.push(this.#descriptor(this.#sub(end)));
      else if (tag === 0x18) hitsAddend = this.#varint(end) % 0x1_0000_0000;
      else this.#skip(tag, end);
    }
    return { domain, descriptors, hitsAddend };
  }

  #descriptor(end: number): LimitDescriptor {
    const entries: DescriptorEntry[] = [];
    let limit: LimitOverride | null = null;
    let hitsAddend: number | null = null;
    let isNegativeHits = false;
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x0a) entries.push(this.#entry(this.#sub(end)));
      else if (tag === 0x12) limit = this.#override(this.#sub(end), limit);
      else if (tag === 0x1a) hitsAddend = this.#wrapped(this.#sub(end), hitsAddend ?? 0);
      else if (tag === 0x20) isNegativeHits = this.#varint(end) !== 0;
      else this.#skip(tag, end);
    }
    return { entries, limit, hitsAddend, isNegativeHits };
  }

  #entry(end: number): DescriptorEntry {
    let key = '';
    let value = '';
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x0a) key = this.#text(end);
      else if (tag === 0x12) value = this.#text(end);
      else this.#skip(tag, end);
    }
    return { key, value };
  }

  /** A message field that comes twice is merged: what is absent in the second keeps the first's value. */
  #override(end: number, earlier: LimitOverride | null): LimitOverride {
    let requestsPerUnit = earlier?.requestsPerUnit ?? 0;
    let unit = earlier?.unit ?? 0;
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x08) requestsPerUnit = this.#varint(end) % 0x1_0000_0000;
      else if (tag === 0x10) unit = this.#varint(end) % 0x1_0000_0000;
      else this.#skip(tag, end);
    }
    return { requestsPerUnit, unit };
  }

  #wrapped(end: number, earlier: number): number {
    let value = earlier;
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x08) value = this.#varint(end);
      else this.#skip(tag, end);
    }
    return value;
  }

  /** End of the length-delimited field that begins here. */
  #sub(end: number): number {
    const length = this.#varint(end);
    if (length > end - this.#at) {
      this.#failed = true;
      return this.#at;
    }
    return this.#at + length;
  }

  #text(end: number): string {
    const stop = this.#sub(end);
    const text = this.#buf.toString('utf8', this.#at, stop);
    // Octets that are no UTF-8 would all become the same character, and so the same key.
    if (text.includes('\ufffd') && Buffer.compare(Buffer.from(text), this.#buf.subarray(this.#at, stop)) !== 0) {
      this.#failed = true;
    }
    this.#at = stop;
    return text;
  }

  /** A varint of up to 64 bits; above 2^53 its low digits are lost. */
  #varint(end: number): number {
    const buf = this.#buf;
    let at = this.#at;
    if (at < end && buf[at]! < 0x80) {
      this.#at = at + 1;
      return buf[at]!;
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10 && at < end; i++) {
      const octet = buf[at++]!;
      // The tenth octet holds the 64th bit only.
      value += (i === 9 ? octet & 0x01 : octet & 0x7f) * scale;
      if (octet < 0x80) {
        this.#at = at;
        return value;
      }
      scale *= 128;
    }
    this.#failed = true;
    return 0;
  }

  #skip(tag: number, end: number): void {
    const wireType = tag & 7;
    if (tag < 8) this.#failed = true;
    else if (wireType === 0) this.#varint(end);
    else if (wireType === 1) this.#at += 8;
    else if (wireType === 2) this.#at = this.#sub(end);
    else if (wireType === 5) this.#at += 4;
    else this.#failed = true;
    if (this.#at > end) this.#failed = true;
  }
}
