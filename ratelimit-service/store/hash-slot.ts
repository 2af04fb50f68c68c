import { Buffer } from 'node:buffer';

/** Slots of a Redis Cluster. */
const slots = 16_384;

/** CRC-16/XMODEM by octet. */
const table: readonly number[] = Array.from({ length: 256 }, (_, octet) => {
  let crc = octet << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
  return crc & 0xffff;
});

/** The slot that a key lies in, as the Redis Cluster specification says: by the text in the first braces, if there is any. */
export function hashSlot(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const octet of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ octet]!;
  return crc % slots;
}
