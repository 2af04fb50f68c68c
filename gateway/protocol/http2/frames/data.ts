import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { passThroughOctets } from '#gateway/base/output-buffer.ts';
import { FrameFlag, FrameType, frameHeadOctets, writeFrameHead } from '../frame.ts';

/**
 * Writes one DATA frame with `chunk[start, end)`, which the caller has fitted to the windows and the peer's frame size.
 * A large chunk is passed on, not copied: it must not change afterwards. RFC 9113 section 6.1.
 */
export function writeData(
  output: OutputBuffer,
  streamId: number,
  chunk: Uint8Array,
  start: number,
  end: number,
  endStream: boolean,
): void {
  const length = end - start;
  const flags = endStream ? FrameFlag.EndStream : 0;
  if (length < passThroughOctets) {
    output.reserve(frameHeadOctets + length);
    const slab = output.slab;
    const at = output.end;
    writeFrameHead(slab, at, length, FrameType.Data, flags, streamId);
    if (length <= 64) for (let i = 0; i < length; i++) slab[at + frameHeadOctets + i] = chunk[start + i]!;
    else slab.set(length === chunk.length ? chunk : chunk.subarray(start, end), at + frameHeadOctets);
    output.advance(frameHeadOctets + length);
    return;
  }
  output.reserve(frameHeadOctets);
  writeFrameHead(output.slab, output.end, length, FrameType.Data, flags, streamId);
  output.advance(frameHeadOctets);
  output.writeChunk(length === chunk.length ? chunk : chunk.subarray(start, end));
}

/**
 * Octets of padding after the data, the length octet itself not counted; -1 when that is more than the frame has
 * (PROTOCOL_ERROR). `length` is the payload's, `at` where it begins.
 */
export function readPadding(buf: Uint8Array, at: number, length: number): number {
  if (length === 0) return -1;
  const padding = buf[at]!;
  return padding < length ? padding : -1;
}
