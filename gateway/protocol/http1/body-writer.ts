import { type OutputBuffer, passThroughOctets } from '#gateway/base/output-buffer.ts';

const hexDigits: Uint8Array = Uint8Array.from('0123456789abcdef', (c) => c.charCodeAt(0));
const lastChunk: Uint8Array = Uint8Array.from('0\r\n\r\n', (c) => c.charCodeAt(0));
/** A size line: up to 8 digits, CRLF; no array is longer than 2^32 octets. */
const maxSizeLine = 10;

/** Writes `chunk` as one chunk of a chunked body; an empty one writes nothing, as it would end the body. Returns octets. */
export function writeChunkFrame(output: OutputBuffer, chunk: Uint8Array): number {
  const length = chunk.length;
  if (length === 0) return 0;
  const small = length < passThroughOctets;
  output.reserve(small ? maxSizeLine + length + 2 : maxSizeLine);
  const slab = output.slab;
  const start = output.end;
  let p = start;
  for (let shift = 28 - (Math.clz32(length) & ~3); shift >= 0; shift -= 4)
    slab[p++] = hexDigits[(length >>> shift) & 15]!;
  slab[p++] = 0x0d;
  slab[p++] = 0x0a;
  if (small) {
    slab.set(chunk, p);
    p += length;
    slab[p++] = 0x0d;
    slab[p++] = 0x0a;
    output.advance(p - start);
    return p - start;
  }
  output.advance(p - start);
  output.writeChunk(chunk);
  output.reserve(2);
  output.slab[output.end] = 0x0d;
  output.slab[output.end + 1] = 0x0a;
  output.advance(2);
  return p - start + length + 2;
}

/** Writes the last chunk and an empty trailer section. Returns octets. */
export function writeLastChunk(output: OutputBuffer): number {
  output.writeBytes(lastChunk);
  return lastChunk.length;
}

/** Writes the last chunk alone; trailers follow. Returns octets. */
export function writeTrailerStart(output: OutputBuffer): number {
  output.writeBytes(lastChunk, 0, 3);
  return 3;
}
