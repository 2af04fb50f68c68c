import type { RateLimitDescriptor } from '#gateway/api/route.ts';

// Wire types of protobuf: varint 0, length-delimited 2. Tags are (field number << 3) | wire type, all below 128 here.
const tag = {
  domain: 0x0a,
  descriptors: 0x12,
  hitsAddend: 0x18,
  entries: 0x0a,
  limit: 0x12,
  descriptorHits: 0x1a,
  negativeHits: 0x20,
  key: 0x0a,
  value: 0x12,
  requestsPerUnit: 0x08,
  unit: 0x10,
  wrapped: 0x08,
} as const;

const utf8 = new TextEncoder();
const utf8Check = new TextDecoder('utf-8', { fatal: true });

let scratch = new Uint8Array(1024);
/** Where the message written so far begins in `scratch`: it is written from its end to its beginning, lengths come for free. */
let at = 0;

/** An envoy.service.ratelimit.v3.RateLimitRequest in its binary form; a fresh array. `hitsAddend` 0: not said. */
export function writeRateLimitRequest(
  domain: string,
  descriptors: readonly RateLimitDescriptor[],
  hitsAddend: number,
): Uint8Array {
  at = scratch.length;
  if (hitsAddend !== 0) writeNumber(tag.hitsAddend, hitsAddend);
  for (let i = descriptors.length - 1; i >= 0; i--) {
    const end = scratch.length - at;
    writeDescriptor(descriptors[i]!);
    writeLength(tag.descriptors, end);
  }
  if (domain !== '') writeText(tag.domain, domain);
  return scratch.slice(at);
}

function writeDescriptor(descriptor: RateLimitDescriptor): void {
  const { entries, limit, hitsAddend, negativeHits } = descriptor;
  if (negativeHits === true) writeNumber(tag.negativeHits, 1);
  if (hitsAddend !== null) {
    const end = scratch.length - at;
    if (hitsAddend !== 0) writeNumber(tag.wrapped, hitsAddend);
    writeLength(tag.descriptorHits, end);
  }
  if (limit !== null) {
    const end = scratch.length - at;
    if (limit.unit !== 0) writeNumber(tag.unit, limit.unit);
    if (limit.requestsPerUnit !== 0) writeNumber(tag.requestsPerUnit, limit.requestsPerUnit);
    writeLength(tag.limit, end);
  }
  for (let i = entries.length - 1; i >= 0; i--) {
    const { key, value } = entries[i]!;
    const end = scratch.length - at;
    if (value !== '') writeText(tag.value, value);
    if (key !== '') writeText(tag.key, key);
    writeLength(tag.entries, end);
  }
}

/** Puts a field's tag and length before what was written since `end` octets stood at the back. */
function writeLength(fieldTag: number, end: number): void {
  writeNumber(fieldTag, scratch.length - at - end);
}

function writeNumber(fieldTag: number, value: number): void {
  let octets = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) octets++;
  reserve(octets + 1);
  at -= octets + 1;
  scratch[at] = fieldTag;
  let to = at + 1;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) scratch[to++] = (rest % 128) | 0x80;
  scratch[to] = rest;
}

function writeText(fieldTag: number, text: string): void {
  const { length } = text;
  reserve(length + 8);
  let to = at;
  for (let i = length - 1; i >= 0; i--) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) {
      writeOctets(fieldTag, headerTextOctets(text));
      return;
    }
    scratch[--to] = code;
  }
  at = to;
  writeNumber(fieldTag, length);
}

function writeOctets(fieldTag: number, octets: Uint8Array): void {
  reserve(octets.length + 8);
  at -= octets.length;
  scratch.set(octets, at);
  writeNumber(fieldTag, octets.length);
}

/** Header values are octets, one a character; when they are UTF-8 they go as they are. All else is text to encode. */
export function headerTextOctets(text: string): Uint8Array {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return utf8.encode(text);
    octets[i] = code;
  }
  try {
    utf8Check.decode(octets);
    return octets;
  } catch {
    return utf8.encode(text);
  }
}

function reserve(octets: number): void {
  if (at >= octets) return;
  const used = scratch.length - at;
  const grown = new Uint8Array(Math.max(scratch.length * 2, used + octets));
  grown.set(scratch.subarray(at), grown.length - used);
  at = grown.length - used;
  scratch = grown;
}
