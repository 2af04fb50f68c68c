import { Buffer } from 'node:buffer';

/** The `latin1Slice` that Buffers have on every runtime and that no type declaration names. */
interface Latin1Source {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
}

const source = Buffer.prototype as unknown as Latin1Source;

/** The octets `[start, end)` as text, one code point an octet. Works on any Uint8Array; about 50 ns for a message head. */
export function latin1Slice(bytes: Uint8Array, start: number, end: number): string {
  return source.latin1Slice.call(bytes, start, end);
}
