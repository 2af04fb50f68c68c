import type { DescriptorEntry } from '../limiter/request.ts';
import type { WireReader } from './wire-reader.ts';

/**
 * Reads a key and a value, fields 1 and 2, up to `end`: RateLimitDescriptor.Entry, and an entry of a map of strings, which
 * protobuf encodes the same way.
 */
export function readEntry(wire: WireReader, end: number): DescriptorEntry {
  let key = '';
  let value = '';
  while (wire.more(end)) {
    const tag = wire.varint(end);
    if (tag === 0x0a) key = wire.text(end);
    else if (tag === 0x12) value = wire.text(end);
    else wire.skip(tag, end);
  }
  return { key, value };
}
