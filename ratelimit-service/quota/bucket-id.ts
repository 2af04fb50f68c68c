import { Buffer } from 'node:buffer';
import type { DescriptorEntry } from '../limiter/request.ts';

/** envoy.service.rate_limit_quota.v3.BucketId: a map of texts, whose order means nothing. Immutable. */
export interface BucketId {
  /** Sorted by key; each key once. */
  readonly entries: readonly DescriptorEntry[];
  /** The same for the same map, and for no other. */
  readonly key: string;
  /** How many places it takes: one, and one more for each {@link octetsPerPlace} of it. */
  readonly places: number;
}

/** Long ids are kept several times over, so that they count for as many short ones. */
const octetsPerPlace = 256;

/** A map that came with these entries: of a key that comes twice the last value counts, as in protobuf. */
export function createBucketId(entries: readonly DescriptorEntry[]): BucketId {
  let sorted = [...entries];
  if (sorted.length > 1) {
    sorted = [...new Map(sorted.map((entry) => [entry.key, entry])).values()];
    sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
  }
  let key = '';
  for (const entry of sorted) key += `${entry.key.length}:${entry.key}${entry.value.length}:${entry.value}`;
  return { entries: sorted, key, places: 1 + Math.floor(key.length / octetsPerPlace) };
}

/** The id as protobuf has it, without a head. Returns a fresh array. */
export function encodeBucketId({ entries }: BucketId): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { key, value } of entries) {
    const pair = Buffer.concat([textField(0x0a, key), textField(0x12, value)]);
    parts.push(Uint8Array.of(0x0a, ...varint(pair.length)), pair);
  }
  return new Uint8Array(Buffer.concat(parts));
}

function textField(tag: number, text: string): Uint8Array {
  const octets = Buffer.from(text, 'utf8');
  return Buffer.concat([Uint8Array.of(tag, ...varint(octets.length)), octets]);
}

function varint(value: number): number[] {
  const octets: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) octets.push((rest & 0x7f) | 0x80);
  octets.push(rest);
  return octets;
}
