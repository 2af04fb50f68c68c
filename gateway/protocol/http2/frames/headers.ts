import { ErrorCode } from '../error-code.ts';
import { FrameFlag, readUint31 } from '../frame.ts';
import { readPadding } from './data.ts';

/**
 * Reads HEADERS payloads: finds the header block between padding and the deprecated priority fields. RFC 9113 section 6.2.
 * One reader serves one connection; the fields hold the result of the last successful `read`.
 */
export class HeadersReader {
  /** Where the block begins and ends in the buffer given. */
  blockStart = 0;
  blockEnd = 0;
  /** The stream depends on itself: a stream error, to be raised after the block was decoded. RFC 9113 section 5.3.1. */
  selfDependent = false;

  read(buf: Uint8Array, at: number, length: number, flags: number, streamId: number): ErrorCode {
    this.blockStart = at;
    this.blockEnd = at + length;
    this.selfDependent = false;
    if ((flags & (FrameFlag.Padded | FrameFlag.Priority)) === 0) return ErrorCode.NoError;
    if ((flags & FrameFlag.Padded) !== 0) {
      const padding = readPadding(buf, at, length);
      if (padding < 0) return ErrorCode.ProtocolError;
      this.blockStart++;
      this.blockEnd -= padding;
    }
    if ((flags & FrameFlag.Priority) !== 0) {
      if (this.blockEnd - this.blockStart < 5) {
        return (flags & FrameFlag.Padded) !== 0 ? ErrorCode.ProtocolError : ErrorCode.FrameSizeError;
      }
      this.selfDependent = readUint31(buf, this.blockStart) === streamId;
      this.blockStart += 5;
    }
    return ErrorCode.NoError;
  }
}
