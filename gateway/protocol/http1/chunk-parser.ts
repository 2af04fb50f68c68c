/** What the next octets of a chunked body are. RFC 9112 section 7.1. */
export const ChunkState = {
  /** Hexadecimal digits of a size. */
  Size: 0,
  /** White space after the size, before `;`. */
  AfterSize: 1,
  /** An extension, which is ignored. */
  Extension: 2,
  /** LF of the size line. */
  SizeLineFeed: 3,
  /** Octets of the chunk: the codec takes `remaining` of them, then calls `dataEnded`. */
  Data: 4,
  /** CR after the data. */
  DataReturn: 5,
  /** LF after the data. */
  DataLineFeed: 6,
  /** The last chunk has been read: trailers follow. */
  Trailers: 7,
  /** Not a legal chunk. */
  Failed: 8,
} as const;
/** @see ChunkState */
export type ChunkState = (typeof ChunkState)[keyof typeof ChunkState];

/** Octets a chunk's size line may have: extensions carry nothing that a gateway wants. */
const maxSizeLineOctets = 1024;
/** Octets by which extensions may outweigh the data of a body: tiny chunks with long extensions are an attack. */
const maxExtensionOctets = 16 * 1024;
const maxSizeDigits = 13;

/** Reads the framing of a chunked body; resumable at every octet. One serves one direction of one connection. */
export class ChunkParser {
  state: ChunkState = ChunkState.Size;
  /** Octets of the current chunk not yet taken. */
  remaining = 0;
  #digits = 0;
  #lineOctets = 0;
  #extensionOctets = 0;

  /** Makes ready for a new body. */
  reset(): void {
    this.state = ChunkState.Size;
    this.remaining = 0;
    this.#digits = 0;
    this.#lineOctets = 0;
    this.#extensionOctets = 0;
  }

  /** Says that `remaining` octets of data were taken. */
  dataEnded(): void {
    this.state = ChunkState.DataReturn;
  }

  /** Reads `[at, end)` up to data, trailers or an error (see `state`); returns the first octet not read. */
  read(bytes: Uint8Array, at: number, end: number): number {
    let p = at;
    while (p < end) {
      const octet = bytes[p]!;
      switch (this.state) {
        case ChunkState.Size: {
          const digit = hexValue(octet);
          if (digit >= 0) {
            if (++this.#digits > maxSizeDigits) return this.#fail(p);
            this.remaining = this.remaining * 16 + digit;
            break;
          }
          if (this.#digits === 0) return this.#fail(p);
          if (octet === 0x0d) this.state = ChunkState.SizeLineFeed;
          else if (octet === 0x3b) this.state = ChunkState.Extension;
          else if (octet === 0x20 || octet === 0x09) this.state = ChunkState.AfterSize;
          else return this.#fail(p);
          break;
        }
        case ChunkState.AfterSize:
          if (octet === 0x3b) this.state = ChunkState.Extension;
          else if (octet !== 0x20 && octet !== 0x09) return this.#fail(p);
          if (!this.#countExtension()) return this.#fail(p);
          break;
        case ChunkState.Extension:
          if (octet === 0x0d) this.state = ChunkState.SizeLineFeed;
          else if ((octet < 0x20 && octet !== 0x09) || octet === 0x7f) return this.#fail(p);
          if (!this.#countExtension()) return this.#fail(p);
          break;
        case ChunkState.SizeLineFeed:
          if (octet !== 0x0a) return this.#fail(p);
          this.#extensionOctets = Math.max(0, this.#extensionOctets - this.remaining);
          this.#digits = 0;
          this.#lineOctets = 0;
          this.state = this.remaining === 0 ? ChunkState.Trailers : ChunkState.Data;
          return p + 1;
        case ChunkState.DataReturn:
          if (octet !== 0x0d) return this.#fail(p);
          this.state = ChunkState.DataLineFeed;
          break;
        case ChunkState.DataLineFeed:
          if (octet !== 0x0a) return this.#fail(p);
          this.state = ChunkState.Size;
          break;
        default:
          return p;
      }
      p++;
    }
    return p;
  }

  #countExtension(): boolean {
    return ++this.#lineOctets <= maxSizeLineOctets && ++this.#extensionOctets <= maxExtensionOctets;
  }

  #fail(at: number): number {
    this.state = ChunkState.Failed;
    return at;
  }
}

function hexValue(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
