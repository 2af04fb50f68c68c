import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import type { SendSide } from './send-side.ts';

/** What a stream needs from its connection. */
export interface StreamOwner {
  readonly output: OutputBuffer;
  /** Octets that may still be sent on the connection. */
  sendWindow: number;
  /** Largest payload that the peer takes. */
  readonly peerMaxFrameOctets: number;
  /** `streamWriteBufferOctets` of the options. */
  readonly streamHighWatermark: number;
  /** Counts a DATA frame that is about to be written. */
  onDataFrame(): void;
  /** The stream has data that only the connection's window holds back. */
  schedule(stream: SendSide): void;
  /** Encodes and writes trailers. Returns the octets written. */
  writeTrailers(streamId: number, entries: readonly string[]): number;
  /** Octets that were counted against the connection's receive window are done with. */
  releaseConnectionWindow(octets: number): void;
  /** Writes WINDOW_UPDATE for a stream. */
  grantStreamWindow(streamId: number, increment: number): void;
  /** The window that a stream grants at its start, octets. */
  readonly streamWindowOctets: number;
  /** Writes RST_STREAM; the stream is then forgotten. */
  writeReset(streamId: number, errorCode: number): void;
  /** A peer broke the rules of messages on this stream, which has been reset or whose connection must end. */
  onMalformed(details: string): void;
}
