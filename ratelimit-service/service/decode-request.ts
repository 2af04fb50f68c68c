import type { DescriptorEntry, LimitDescriptor, LimitOverride, LimitRequest } from '../limiter/request.ts';
import { readEntry } from './read-entry.ts';
import { WireReader } from './wire-reader.ts';

/**
 * Reads envoy.service.ratelimit.v3.RateLimitRequest. Written by hand because it runs for every request that an edge
 * gateway limits; a test compares it with the generic reader. Unknown fields are skipped.
 *
 * One reader serves one service. A request with a string that is no UTF-8 is malformed.
 */
export class RateLimitRequestReader {
  readonly #wire: WireReader = new WireReader();

  /** The request in `bytes[at, end)`, or null when it is malformed. Nothing of `bytes` is kept. */
  read(bytes: Uint8Array, at: number, end: number): LimitRequest | null {
    this.#wire.begin(bytes, at);
    const request = this.#request(end);
    return this.#wire.end(end) && !this.#wire.badText ? request : null;
  }

  #request(end: number): LimitRequest {
    const wire = this.#wire;
    let domain = '';
    let hitsAddend = 0;
    const descriptors: LimitDescriptor[] = [];
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x0a) domain = wire.text(end);
      else if (tag === 0x12) descriptors.push(this.#descriptor(wire.sub(end)));
      else if (tag === 0x18) hitsAddend = wire.varint(end) % 0x1_0000_0000;
      else wire.skip(tag, end);
    }
    return { domain, descriptors, hitsAddend };
  }

  #descriptor(end: number): LimitDescriptor {
    const wire = this.#wire;
    const entries: DescriptorEntry[] = [];
    let limit: LimitOverride | null = null;
    let hitsAddend: number | null = null;
    let isNegativeHits = false;
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x0a) entries.push(readEntry(wire, wire.sub(end)));
      else if (tag === 0x12) limit = this.#override(wire.sub(end), limit);
      else if (tag === 0x1a) hitsAddend = this.#wrapped(wire.sub(end), hitsAddend ?? 0);
      else if (tag === 0x20) isNegativeHits = wire.varint(end) !== 0;
      else wire.skip(tag, end);
    }
    return { entries, limit, hitsAddend, isNegativeHits };
  }

  /** A message field that comes twice is merged: what is absent in the second keeps the first's value. */
  #override(end: number, earlier: LimitOverride | null): LimitOverride {
    const wire = this.#wire;
    let requestsPerUnit = earlier?.requestsPerUnit ?? 0;
    let unit = earlier?.unit ?? 0;
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x08) requestsPerUnit = wire.varint(end) % 0x1_0000_0000;
      else if (tag === 0x10) unit = wire.varint(end) % 0x1_0000_0000;
      else wire.skip(tag, end);
    }
    return { requestsPerUnit, unit };
  }

  #wrapped(end: number, earlier: number): number {
    const wire = this.#wire;
    let value = earlier;
    while (wire.more(end)) {
      const tag = wire.varint(end);
      if (tag === 0x08) value = wire.varint(end);
      else wire.skip(tag, end);
    }
    return value;
  }
}
