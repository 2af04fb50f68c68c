import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { FrameFlag, FrameType, frameHeadOctets, writeFrameHead } from '../frame.ts';

/** Payload of the keepalive PINGs that this codec sends, so that its acknowledgements can be told from others. */
export const keepalivePayload: Uint8Array = Uint8Array.of(0x73, 0x6c, 0x75, 0x69, 0x63, 0x65, 0x6b, 0x61);

/** Writes PING with the eight octets `buf[at, at + 8)`. RFC 9113 section 6.7. */
export function writePing(output: OutputBuffer, ack: boolean, buf: Uint8Array, at: number): void {
  output.reserve(frameHeadOctets + 8);
  writeFrameHead(output.slab, output.end, 8, FrameType.Ping, ack ? FrameFlag.Ack : 0, 0);
  for (let i = 0; i < 8; i++) output.slab[output.end + frameHeadOctets + i] = buf[at + i]!;
  output.advance(frameHeadOctets + 8);
}

/** Whether the payload `buf[at, at + 8)` is that of our own PING. */
export function isKeepalivePayload(buf: Uint8Array, at: number): boolean {
  for (let i = 0; i < 8; i++) if (buf[at + i] !== keepalivePayload[i]) return false;
  return true;
}
