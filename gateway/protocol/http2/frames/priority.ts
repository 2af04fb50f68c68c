import { ErrorCode } from '../error-code.ts';
import { readUint31 } from '../frame.ts';

/**
 * Checks a PRIORITY payload, whose content is otherwise ignored. Both errors are stream errors. RFC 9113 section 6.3; a
 * stream that depends on itself is refused as RFC 7540 section 5.3.1 had it.
 */
export function checkPriority(buf: Uint8Array, at: number, length: number, streamId: number): ErrorCode {
  if (length !== 5) return ErrorCode.FrameSizeError;
  return readUint31(buf, at) === streamId ? ErrorCode.ProtocolError : ErrorCode.NoError;
}
