/** Frame types. RFC 9113 section 6. Others are ignored (section 5.5). */
export const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

/** Frame flags. `Ack` and `EndStream` are the same bit on different types. */
export const FrameFlag = {
  Ack: 0x01,
  EndStream: 0x01,
  EndHeaders: 0x04,
  Padded: 0x08,
  Priority: 0x20,
} as const;

/** Octets before every payload. RFC 9113 section 4.1. */
export const frameHeadOctets = 9;

/** The largest payload every endpoint takes, and the most that this one takes. RFC 9113 section 4.2. */
export const defaultMaxFrameOctets = 16_384;

/** Highest stream identifier, window size and window increment. */
export const max31Bits = 0x7fff_ffff;

/** What the client sends before its first frame. RFC 9113 section 3.4. */
export const clientPreface: Uint8Array = new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Writes a frame head at `buf[at]`. */
export function writeFrameHead(
  buf: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  buf[at] = length >>> 16;
  buf[at + 1] = length >>> 8;
  buf[at + 2] = length;
  buf[at + 3] = type;
  buf[at + 4] = flags;
  buf[at + 5] = streamId >>> 24;
  buf[at + 6] = streamId >>> 16;
  buf[at + 7] = streamId >>> 8;
  buf[at + 8] = streamId;
}

/** Reads 31 bits, dropping the reserved bit above them. */
export function readUint31(buf: Uint8Array, at: number): number {
  return ((buf[at]! & 0x7f) << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!;
}

/** Reads 32 bits. */
export function readUint32(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0;
}

/** Writes 32 bits. */
export function writeUint32(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >>> 24;
  buf[at + 1] = value >>> 16;
  buf[at + 2] = value >>> 8;
  buf[at + 3] = value;
}
