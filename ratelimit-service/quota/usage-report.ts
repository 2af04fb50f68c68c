import { Buffer } from 'node:buffer';
import type { DescriptorEntry } from '../limiter/request.ts';
import { type BucketId, createBucketId } from './bucket-id.ts';

/** RateLimitQuotaUsageReports.BucketQuotaUsage. */
export interface BucketUsage {
  readonly id: BucketId;
  /** Seconds since the last report, as the client says; Envoy tells whole ones. */
  readonly elapsedSeconds: number;
  readonly allowed: number;
  readonly denied: number;
}

/** envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports. */
export interface UsageReports {
  /** Empty when the message does not say. */
  readonly domain: string;
  readonly usages: readonly BucketUsage[];
  /** Usages that were left out because their bucket id is none that is taken. */
  readonly refused: number;
}

/** Bounds of what one message may make us hold. */
export interface UsageBounds {
  /** Entries of a bucket id. */
  readonly maxIdEntries: number;
  /** Octets of a bucket id as it came. */
  readonly maxIdOctets: number;
}

/**
 * Reads usage reports; unknown fields are skipped. One reader serves any number of streams, one message at a time. A usage
 * whose bucket id is empty, too long or not UTF-8 is left out: it could not be answered.
 */
export class UsageReportReader {
  readonly #bounds: UsageBounds;
  #buf: Buffer = Buffer.alloc(0);
  #at = 0;
  #failed = false;
  #badId = false;

  constructor(bounds: UsageBounds) {
    this.#bounds = bounds;
  }

  /** The message, or null when it is malformed. Nothing of `message` is kept. */
  read(message: Uint8Array): UsageReports | null {
    this.#buf = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    this.#at = 0;
    this.#failed = false;
    const end = message.length;
    const usages: BucketUsage[] = [];
    let domain = '';
    let refused = 0;
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x0a) domain = this.#text(end);
      else if (tag === 0x12) {
        const usage = this.#usage(this.#sub(end));
        if (usage === null) refused++;
        else usages.push(usage);
      } else this.#skip(tag, end);
    }
    this.#buf = Buffer.alloc(0);
    return this.#failed || this.#at !== end ? null : { domain, usages, refused };
  }

  #usage(end: number): BucketUsage | null {
    const entries: DescriptorEntry[] = [];
    let elapsedSeconds = 0;
    let allowed = 0;
    let denied = 0;
    this.#badId = false;
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x0a) this.#bucketId(this.#sub(end), entries);
      else if (tag === 0x12) elapsedSeconds = this.#duration(this.#sub(end));
      else if (tag === 0x18) allowed = this.#varint(end);
      else if (tag === 0x20) denied = this.#varint(end);
      else this.#skip(tag, end);
    }
    if (this.#failed || this.#badId || entries.length === 0) return null;
    return { id: createBucketId(entries), elapsedSeconds, allowed: capped(allowed), denied: capped(denied) };
  }

  #bucketId(end: number, entries: DescriptorEntry[]): void {
    if (end - this.#at > this.#bounds.maxIdOctets) {
      this.#badId = true;
      this.#at = end;
      return;
    }
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x0a) entries.push(this.#entry(this.#sub(end)));
      else this.#skip(tag, end);
    }
    if (entries.length > this.#bounds.maxIdEntries) this.#badId = true;
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

  #duration(end: number): number {
    let seconds = 0;
    let nanos = 0;
    while (this.#at < end && !this.#failed) {
      const tag = this.#varint(end);
      if (tag === 0x08) seconds = this.#varint(end);
      else if (tag === 0x10) nanos = this.#varint(end);
      else this.#skip(tag, end);
    }
    // What is negative arrives as a number above every time there can be.
    return seconds > 315_576_000_000 || nanos > 999_999_999 ? 0 : seconds + nanos / 1e9;
  }

  #text(end: number): string {
    const stop = this.#sub(end);
    if (this.#failed) return '';
    const text = this.#buf.toString('utf8', this.#at, stop);
    if (text.includes('\ufffd') && Buffer.byteLength(text) !== stop - this.#at) this.#badId = true;
    this.#at = stop;
    return text;
  }

  /** The end of a field with a length. */
  #sub(end: number): number {
    const length = this.#varint(end);
    if (length > end - this.#at) {
      this.#failed = true;
      return this.#at;
    }
    return this.#at + length;
  }

  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= end) break;
      const octet = this.#buf[this.#at++]!;
      value += (octet & 0x7f) * factor;
      if (octet < 0x80) return value;
      factor *= 128;
    }
    this.#failed = true;
    return 0;
  }

  #skip(tag: number, end: number): void {
    if (Math.floor(tag / 8) === 0) this.#failed = true;
    const wire = tag % 8;
    if (wire === 0) this.#varint(end);
    else if (wire === 2) this.#at = this.#sub(end);
    else if (wire === 1 || wire === 5) this.#at += wire === 1 ? 8 : 4;
    else this.#failed = true;
    if (this.#at > end) this.#failed = true;
  }
}

function capped(count: number): number {
  return Math.min(count, Number.MAX_SAFE_INTEGER);
}
