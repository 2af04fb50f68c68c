import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { FrameFlag, FrameType, frameHeadOctets, writeFrameHead } from '../frame.ts';

/**
 * Writes a header block that is too long for one frame as HEADERS and CONTINUATION frames. RFC 9113 sections 6.2, 6.10.
 * `block[0, length)` is copied. Returns the octets written.
 */
export function writeHeaderBlock(
  output: OutputBuffer,
  streamId: number,
  block: Uint8Array,
  length: number,
  endStream: boolean,
  maxFrameOctets: number,
): number {
  let written = 0;
  for (let at = 0; at < length || at === 0; at += maxFrameOctets) {
    const end = Math.min(length, at + maxFrameOctets);
    const type = at === 0 ? FrameType.Headers : FrameType.Continuation;
    const flags = (at === 0 && endStream ? FrameFlag.EndStream : 0) | (end === length ? FrameFlag.EndHeaders : 0);
    output.reserve(frameHeadOctets);
    writeFrameHead(output.slab, output.end, end - at, type, flags, streamId);
    output.advance(frameHeadOctets);
    output.writeBytes(block, at, end);
    written += frameHeadOctets + end - at;
  }
  return written;
}
