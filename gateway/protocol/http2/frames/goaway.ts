import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { FrameType, frameHeadOctets, readUint31, readUint32, writeFrameHead, writeUint32 } from '../frame.ts';

/** Writes GOAWAY without debug data: a peer need not know more than the code. RFC 9113 section 6.8. */
export function writeGoAway(output: OutputBuffer, lastStreamId: number, errorCode: number): void {
  output.reserve(frameHeadOctets + 8);
  writeFrameHead(output.slab, output.end, 8, FrameType.GoAway, 0, 0);
  writeUint32(output.slab, output.end + frameHeadOctets, lastStreamId);
  writeUint32(output.slab, output.end + frameHeadOctets + 4, errorCode);
  output.advance(frameHeadOctets + 8);
}

/** Last stream identifier of a GOAWAY payload of at least eight octets. */
export function readLastStreamId(buf: Uint8Array, at: number): number {
  return readUint31(buf, at);
}

/** Error code of a GOAWAY payload of at least eight octets. */
export function readGoAwayCode(buf: Uint8Array, at: number): number {
  return readUint32(buf, at + 4);
}
