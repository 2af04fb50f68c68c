import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { blockOverheadOctets, fieldOverheadOctets, type HpackEncoder } from '../hpack/encoder.ts';
import { FrameFlag, FrameType, frameHeadOctets, writeFrameHead } from './frame.ts';
import { writeHeaderBlock } from './frames/header-block.ts';

/** Room for pseudo-headers, their text not counted. */
const pseudoOctets = 6 * fieldOverheadOctets;

/**
 * Encodes one header block at a time straight into the connection's output, behind a frame head that is filled in last.
 * A block that may not fit one frame is encoded aside and then cut. RFC 9113 section 4.3.
 */
export class HeaderBlockWriter {
  readonly #output: OutputBuffer;
  readonly encoder: HpackEncoder;
  #aside: Uint8Array | null = null;

  constructor(output: OutputBuffer, encoder: HpackEncoder) {
    this.#output = output;
    this.encoder = encoder;
  }

  /** Begins a block. `textOctets`: text of the pseudo-headers; `entries`: `[name, value, ...]` of the rest. */
  begin(textOctets: number, entries: readonly string[], maxFrameOctets: number): void {
    let room = blockOverheadOctets + pseudoOctets + textOctets + (entries.length >> 1) * fieldOverheadOctets;
    for (let i = 0; i < entries.length; i++) room += entries[i]!.length;
    if (room <= maxFrameOctets) {
      this.#aside = null;
      this.#output.reserve(frameHeadOctets + room);
      this.encoder.begin(this.#output.slab, this.#output.end + frameHeadOctets);
    } else {
      this.#aside = new Uint8Array(room);
      this.encoder.begin(this.#aside, 0);
    }
  }

  /** Encodes all of `entries`. */
  fields(entries: readonly string[]): void {
    const encoder = this.encoder;
    for (let i = 0; i < entries.length; i += 2) encoder.field(entries[i]!, entries[i + 1]!);
  }

  /** Ends the block and writes its frames. Returns their octets. */
  finish(streamId: number, endStream: boolean, maxFrameOctets: number): number {
    const output = this.#output;
    if (this.#aside !== null) {
      const block = this.#aside;
      this.#aside = null;
      return writeHeaderBlock(output, streamId, block, this.encoder.end(), endStream, maxFrameOctets);
    }
    const at = output.end;
    const octets = this.encoder.end() - at;
    const flags = endStream ? FrameFlag.EndHeaders | FrameFlag.EndStream : FrameFlag.EndHeaders;
    writeFrameHead(output.slab, at, octets - frameHeadOctets, FrameType.Headers, flags, streamId);
    output.advance(octets);
    return octets;
  }
}
