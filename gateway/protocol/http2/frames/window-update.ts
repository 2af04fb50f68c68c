import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { FrameType, frameHeadOctets, readUint31, writeFrameHead, writeUint32 } from '../frame.ts';

/** Writes WINDOW_UPDATE; `streamId` 0 is the connection's window. RFC 9113 section 6.9. */
export function writeWindowUpdate(output: OutputBuffer, streamId: number, increment: number): void {
  output.reserve(frameHeadOctets + 4);
  writeFrameHead(output.slab, output.end, 4, FrameType.WindowUpdate, 0, streamId);
  writeUint32(output.slab, output.end + frameHeadOctets, increment);
  output.advance(frameHeadOctets + 4);
}

/** Increment of a WINDOW_UPDATE payload, octets; -1 for a payload of the wrong size. Zero is for the caller to refuse. */
export function readWindowUpdate(buf: Uint8Array, at: number, length: number): number {
  return length === 4 ? readUint31(buf, at) : -1;
}
