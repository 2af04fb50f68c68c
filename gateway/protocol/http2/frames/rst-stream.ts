import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { FrameType, frameHeadOctets, readUint32, writeFrameHead, writeUint32 } from '../frame.ts';

/** Writes RST_STREAM. RFC 9113 section 6.4. */
export function writeRstStream(output: OutputBuffer, streamId: number, errorCode: number): void {
  output.reserve(frameHeadOctets + 4);
  writeFrameHead(output.slab, output.end, 4, FrameType.RstStream, 0, streamId);
  writeUint32(output.slab, output.end + frameHeadOctets, errorCode);
  output.advance(frameHeadOctets + 4);
}

/** Reads the error code of RST_STREAM; -1 for a payload of the wrong size (connection error FRAME_SIZE_ERROR). */
export function readRstStream(buf: Uint8Array, at: number, length: number): number {
  return length === 4 ? readUint32(buf, at) : -1;
}
