import { defaultMaxFrameOctets, FrameFlag, FrameType, frameHeadOctets, readUint31 } from './frame.ts';
import { readPadding } from './frames/data.ts';

/** Receives frames. Each method returns whether reading goes on; false ends it for good. */
export interface FrameSink {
  /** Any frame but DATA, complete: its payload is `buf[at, at + length)` and may be gone after the call. */
  onFrame(type: number, flags: number, streamId: number, buf: Uint8Array, at: number, length: number): boolean;
  /** A DATA frame begins. `length` is the payload's, `overhead` what of it is padding with its length octet. */
  onDataHead(streamId: number, flags: number, length: number, overhead: number): boolean;
  /** Data of the frame begun last, as a view of the chunk; `last` ends the frame. Empty when the frame is. */
  onDataChunk(chunk: Uint8Array, last: boolean): boolean;
  /** A frame is larger than this side takes. Reading ends. */
  onOversizedFrame(): void;
  /** A DATA frame has more padding than payload. Reading ends. */
  onBadPadding(): void;
}

const empty = new Uint8Array(0);
const smallPending = 64;

/**
 * Cuts the octets of a connection into frames. Frames that lie in one chunk are handed on where they lie; only one that
 * is cut by the end of a chunk is gathered in a buffer, and DATA never is: its parts are handed on as they come.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #pending: Uint8Array = empty; // the beginning of a frame that is not complete
  #pendingOctets = 0;
  #dataLeft = 0; // octets of data still to come in the DATA frame under way
  #paddingLeft = 0; // and of padding after it
  #inData = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Reads `chunk[at, length)`. False when the sink ended reading. */
  read(chunk: Uint8Array, at: number): boolean {
    let position = at;
    const end = chunk.length;
    while (position < end) {
      if (this.#inData || this.#paddingLeft > 0) {
        position = this.#readData(chunk, position);
      } else if (this.#pendingOctets > 0) {
        position = this.#resume(chunk, position);
      } else {
        position = this.#readFrames(chunk, position);
      }
      if (position < 0) return false;
    }
    return true;
  }

  /** Reads frames as long as they are complete; returns where that ended, or -1. */
  #readFrames(chunk: Uint8Array, at: number): number {
    let position = at;
    const end = chunk.length;
    const sink = this.#sink;
    while (end - position >= frameHeadOctets) {
      const length = (chunk[position]! << 16) | (chunk[position + 1]! << 8) | chunk[position + 2]!;
      const type = chunk[position + 3]!;
      const payload = position + frameHeadOctets;
      const streamId = readUint31(chunk, position + 5);
      if (length > defaultMaxFrameOctets) {
        sink.onOversizedFrame();
        return -1;
      }
      if (type === FrameType.Data) {
        const flags = chunk[position + 4]!;
        if ((flags & FrameFlag.Padded) !== 0 && length > 0 && payload === end) break; // the pad length is to come
        const start = this.#beginData(chunk, payload, length, flags, streamId);
        if (start < 0) return -1;
        position = this.#readData(chunk, start);
        if (position < 0 || this.#inData || this.#paddingLeft > 0) return position;
        continue;
      }
      if (end - payload < length) break;
      if (!sink.onFrame(type, chunk[position + 4]!, streamId, chunk, payload, length)) return -1;
      position = payload + length;
    }
    if (position < end) {
      this.#hold(chunk, position, end);
      position = end;
    }
    return position;
  }

  /** Takes a DATA frame's head; returns where its data begins in `buf`, or -1. */
  #beginData(buf: Uint8Array, payload: number, length: number, flags: number, streamId: number): number {
    let padding = 0;
    let lengthOctet = 0;
    if ((flags & FrameFlag.Padded) !== 0) {
      padding = readPadding(buf, payload, length);
      if (padding < 0) {
        this.#sink.onBadPadding();
        return -1;
      }
      lengthOctet = 1;
    }
    this.#inData = true;
    this.#paddingLeft = padding;
    this.#dataLeft = length - lengthOctet - padding;
    return this.#sink.onDataHead(streamId, flags, length, padding + lengthOctet) ? payload + lengthOctet : -1;
  }

  #readData(chunk: Uint8Array, at: number): number {
    let position = at;
    if (this.#inData) {
      const octets = Math.min(this.#dataLeft, chunk.length - position);
      if (octets === 0 && this.#dataLeft > 0) return position;
      this.#dataLeft -= octets;
      const last = this.#dataLeft === 0;
      if (last) this.#inData = false;
      const view = octets === 0 ? empty : chunk.subarray(position, position + octets);
      if (!this.#sink.onDataChunk(view, last)) return -1;
      position += octets;
      if (!last) return position;
    }
    const skipped = Math.min(this.#paddingLeft, chunk.length - position);
    this.#paddingLeft -= skipped;
    return position + skipped;
  }

  /** Completes the frame that an earlier chunk began; returns where the chunk goes on, or -1. */
  #resume(chunk: Uint8Array, at: number): number {
    let position = at;
    while (true) {
      const needed = this.#neededOctets();
      if (this.#pendingOctets >= needed) break;
      if (position === chunk.length) return position;
      const end = Math.min(chunk.length, position + needed - this.#pendingOctets);
      this.#hold(chunk, position, end);
      position = end;
    }
    const frame = this.#pending;
    const held = this.#pendingOctets;
    this.#pendingOctets = 0;
    const type = frame[3]!;
    const flags = frame[4]!;
    const streamId = readUint31(frame, 5);
    const length = (frame[0]! << 16) | (frame[1]! << 8) | frame[2]!;
    if (length > defaultMaxFrameOctets) {
      this.#sink.onOversizedFrame();
      return -1;
    }
    if (type === FrameType.Data) {
      if (this.#beginData(frame, frameHeadOctets, length, flags, streamId) < 0) return -1;
      return this.#readData(chunk, position);
    }
    if (!this.#sink.onFrame(type, flags, streamId, frame, frameHeadOctets, held - frameHeadOctets)) return -1;
    if (frame.length > smallPending) this.#pending = empty;
    return position;
  }

  /** Octets that must be held before the pending frame can be handled. */
  #neededOctets(): number {
    if (this.#pendingOctets < frameHeadOctets) return frameHeadOctets;
    const frame = this.#pending;
    const length = (frame[0]! << 16) | (frame[1]! << 8) | frame[2]!;
    if (length > defaultMaxFrameOctets) return frameHeadOctets;
    if (frame[3] !== FrameType.Data) return frameHeadOctets + length;
    return (frame[4]! & FrameFlag.Padded) !== 0 && length > 0 ? frameHeadOctets + 1 : frameHeadOctets;
  }

  #hold(chunk: Uint8Array, start: number, end: number): void {
    const octets = this.#pendingOctets + end - start;
    if (this.#pending.length < octets) {
      const room = this.#pendingOctets >= frameHeadOctets ? this.#neededOctets() : octets;
      const grown = new Uint8Array(Math.max(smallPending, room));
      grown.set(this.#pending.subarray(0, this.#pendingOctets));
      this.#pending = grown;
    }
    this.#pending.set(chunk.subarray(start, end), this.#pendingOctets);
    this.#pendingOctets = octets;
  }
}
