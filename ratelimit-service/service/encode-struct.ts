import { Buffer } from 'node:buffer';
import type { StructValue } from '../config/rule.ts';

/** Writes a google.protobuf.Struct. */
export function encodeStruct(fields: { readonly [key: string]: StructValue }): Uint8Array {
  const parts = Object.entries(fields).map(([key, value]) =>
    delimited(0x0a, Buffer.concat([delimited(0x0a, Buffer.from(key)), delimited(0x12, encodeValue(value))])),
  );
  return Buffer.concat(parts);
}

/** google.protobuf.Value */
function encodeValue(value: StructValue): Uint8Array {
  if (value === null) return Uint8Array.of(0x08, 0);
  if (typeof value === 'boolean') return Uint8Array.of(0x20, value ? 1 : 0);
  if (typeof value === 'string') return delimited(0x1a, Buffer.from(value));
  if (typeof value === 'number') {
    const octets = Buffer.alloc(9);
    octets[0] = 0x11;
    octets.writeDoubleLE(value, 1);
    return octets;
  }
  if (!isList(value)) return delimited(0x2a, encodeStruct(value));
  return delimited(0x32, Buffer.concat(value.map((item) => delimited(0x0a, encodeValue(item)))));
}

function isList(value: StructValue): value is readonly StructValue[] {
  return Array.isArray(value);
}

function delimited(tag: number, octets: Uint8Array): Uint8Array {
  const head = [tag];
  let rest = octets.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) head.push((rest % 0x80) | 0x80);
  head.push(rest);
  return Buffer.concat([Uint8Array.from(head), octets]);
}
