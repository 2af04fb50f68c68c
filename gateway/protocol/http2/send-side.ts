import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import { frameHeadOctets } from './frame.ts';
import { writeData } from './frames/data.ts';
import type { StreamOwner } from './stream-owner.ts';

/**
 * The sending half of a stream: what the windows allow goes out at once, the rest waits in order, END_STREAM or trailers
 * behind it. RFC 9113 sections 5.2 and 6.9.
 */
export abstract class SendSide {
  protected readonly owner: StreamOwner;
  /** Identifier on the wire; 0 until a client stream has sent its head. */
  streamId: number;
  /** Octets that may be sent on this stream. May be negative after the peer lowered its initial window. */
  sendWindow: number;
  wireOctetsSent = 0;
  wireOctetsReceived = 0;
  /** END_STREAM was sent. */
  localEnded = false;
  /** END_STREAM was asked for: nothing more may be encoded. */
  protected localEnding = false;
  /** Neither frames come nor go: complete, reset, or the connection is gone. */
  closed = false;
  /** In the connection's list of streams that wait for its window. */
  scheduled = false;
  #queue: ByteQueue | null = null;
  #trailers: HeaderMap | null = null;
  #aboveWatermark = false; // this stream's own
  #above = 0; // reasons for the sink to stop: the stream's watermark and the connection's

  constructor(owner: StreamOwner, streamId: number, sendWindow: number) {
    this.owner = owner;
    this.streamId = streamId;
    this.sendWindow = sendWindow;
  }

  /** END_STREAM went out. */
  protected abstract onLocalEnd(): void;
  protected abstract onAboveHighWatermark(): void;
  protected abstract onBelowLowWatermark(): void;

  /** One more reason for the sink to stop; it hears of the first. The connection's output is one. */
  addBackPressure(): void {
    if (++this.#above === 1) this.onAboveHighWatermark();
  }

  /** One reason less; the sink hears when none is left. */
  removeBackPressure(): void {
    if (this.#above > 0 && --this.#above === 0) this.onBelowLowWatermark();
  }

  get bufferedOctets(): number {
    return this.#queue === null ? 0 : this.#queue.length;
  }

  /** Whether anything waits for a window. */
  get hasPending(): boolean {
    return !this.closed && (this.bufferedOctets > 0 || (this.localEnding && !this.localEnded));
  }

  encodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.closed || this.localEnding) return;
    if (endStream) this.localEnding = true;
    const length = chunk.length;
    if (length === 0 && !endStream) return;
    const owner = this.owner;
    if (
      this.bufferedOctets === 0 &&
      length <= this.sendWindow &&
      length <= owner.sendWindow &&
      length <= owner.peerMaxFrameOctets
    ) {
      // The common case: one frame, and both windows have room.
      this.#writeFrame(chunk, 0, length, endStream);
      return;
    }
    if (this.#queue === null) this.#queue = new ByteQueue();
    this.#queue.push(chunk);
    this.flush(Number.MAX_SAFE_INTEGER);
  }

  encodeTrailers(trailers: HeaderMap): void {
    if (this.closed || this.localEnding) return;
    this.localEnding = true;
    this.#trailers = trailers;
    if (this.bufferedOctets === 0) this.#writeTrailers();
  }

  /**
   * Sends what waits, as far as the windows go and at most `maxFrames` frames. Returns whether the stream could send more
   * if the connection's window let it.
   */
  flush(maxFrames: number): boolean {
    const queue = this.#queue;
    if (queue === null || this.closed) return false;
    const owner = this.owner;
    let frames = 0;
    while (queue.length > 0) {
      const room = Math.min(this.sendWindow, owner.sendWindow, owner.peerMaxFrameOctets);
      if (room <= 0 || frames === maxFrames) break;
      const chunk = queue.shift(room)!;
      const last = queue.length === 0 && this.localEnding && this.#trailers === null;
      frames++;
      this.#writeFrame(chunk, 0, chunk.length, last);
      if (this.closed) return false;
    }
    if (queue.length === 0) {
      if (this.#trailers !== null) this.#writeTrailers();
      else if (this.localEnding && !this.localEnded) this.#writeFrame(new Uint8Array(0), 0, 0, true);
    }
    this.#checkWatermarks(queue.length);
    if (queue.length === 0 || this.sendWindow <= 0) return false;
    if (owner.sendWindow <= 0) owner.schedule(this);
    return true;
  }

  /** Lifts all back-pressure from the sink: the stream is complete, nothing waits any more. */
  protected endBackPressure(): void {
    if (this.#above === 0) return;
    this.#above = 0;
    this.onBelowLowWatermark();
  }

  /** Forgets what waits: the stream ended early. */
  protected dropPending(): void {
    if (this.#queue !== null) this.#queue.clear();
    this.#trailers = null;
  }

  #writeFrame(chunk: Uint8Array, start: number, end: number, endStream: boolean): void {
    const owner = this.owner;
    const length = end - start;
    owner.onDataFrame();
    writeData(owner.output, this.streamId, chunk, start, end, endStream);
    this.sendWindow -= length;
    owner.sendWindow -= length;
    this.wireOctetsSent += length + frameHeadOctets;
    if (endStream) this.#ended();
  }

  #writeTrailers(): void {
    const trailers = this.#trailers!;
    this.#trailers = null;
    this.wireOctetsSent += this.owner.writeTrailers(this.streamId, trailers.entries);
    this.#ended();
  }

  #ended(): void {
    this.localEnded = true;
    this.onLocalEnd();
  }

  /** The head went out with END_STREAM. */
  protected endWithHead(): void {
    this.localEnding = true;
    this.#ended();
  }

  #checkWatermarks(queued: number): void {
    if (this.closed) return;
    if (!this.#aboveWatermark && queued > this.owner.streamHighWatermark) {
      this.#aboveWatermark = true;
      this.addBackPressure();
    } else if (this.#aboveWatermark && queued <= this.owner.streamHighWatermark / 2) {
      this.#aboveWatermark = false;
      this.removeBackPressure();
    }
  }
}
