import type { DescriptorEntry } from '../limiter/request.ts';
import { readEntry } from '../service/read-entry.ts';
import { WireReader } from '../service/wire-reader.ts';
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
  readonly #wire: WireReader = new WireReader();
  #badId = false;

  constructor(bounds: UsageBounds) {
    this.#bounds = bounds;
  }

  /** The message, or null when it is malformed. Nothing of `message` is kept. */
  read(message: Uint8Array): UsageReports | null {
    const wire = this.#wire;
    wire.begin(message, 0);
    const end = message.length;
    const usages: BucketUsage[] = [];
    let domain = '';
    let refused = 0;
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x0a) domain = wire.text(end);
      else if (tag === 0x12) {
        const usage = this.#usage(wire.sub(end));
        if (usage === null) refused++;
        else usages.push(usage);
      } else wire.skip(tag, end);
    }
    return wire.end(end) ? { domain, usages, refused } : null;
  }

  #usage(end: number): BucketUsage | null {
    const wire = this.#wire;
    const entries: DescriptorEntry[] = [];
    let elapsedSeconds = 0;
    let allowed = 0;
    let denied = 0;
    this.#badId = false;
    wire.badText = false;
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x0a) this.#bucketId(wire.sub(end), entries);
      else if (tag === 0x12) elapsedSeconds = this.#duration(wire.sub(end));
      else if (tag === 0x18) allowed = wire.varint(end);
      else if (tag === 0x20) denied = wire.varint(end);
      else wire.skip(tag, end);
    }
    if (wire.failed || wire.badText || this.#badId || entries.length === 0) return null;
    return { id: createBucketId(entries), elapsedSeconds, allowed: capped(allowed), denied: capped(denied) };
  }

  #bucketId(end: number, entries: DescriptorEntry[]): void {
    const wire = this.#wire;
    if (end - wire.at > this.#bounds.maxIdOctets) {
      this.#badId = true;
      wire.at = end;
      return;
    }
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x0a) entries.push(readEntry(wire, wire.sub(end)));
      else wire.skip(tag, end);
    }
    if (entries.length > this.#bounds.maxIdEntries) this.#badId = true;
  }

  #duration(end: number): number {
    const wire = this.#wire;
    let seconds = 0;
    let nanos = 0;
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x08) seconds = wire.varint(end);
      else if (tag === 0x10) nanos = wire.varint(end);
      else wire.skip(tag, end);
    }
    // What is negative arrives as a number above every time there can be.
    return seconds > 315_576_000_000 || nanos > 999_999_999 ? 0 : seconds + nanos / 1e9;
  }
}

function capped(count: number): number {
  return Math.min(count, Number.MAX_SAFE_INTEGER);
}
