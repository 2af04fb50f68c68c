/** Octets that lengths are rounded up to. */
const grainOctets = 16;
const blocksPerChunkBits = 10;
const blocksPerChunk = 1 << blocksPerChunkBits;

/** Blocks of one length, in chunks; freed ones are used again first. */
class BlockClass {
  readonly #octets: number;
  #chunks: Uint8Array[] = [];
  #used = 0;
  #free: number[] = [];

  constructor(octets: number) {
    this.#octets = octets;
  }

  take(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    const block = this.#used++;
    if (block >>> blocksPerChunkBits === this.#chunks.length) {
      this.#chunks.push(new Uint8Array(this.#octets * blocksPerChunk));
    }
    return block;
  }

  give(block: number): void {
    this.#free.push(block);
  }

  chunk(block: number): Uint8Array {
    return this.#chunks[block >>> blocksPerChunkBits]!;
  }

  start(block: number): number {
    return (block & (blocksPerChunk - 1)) * this.#octets;
  }

  /** Forgets all blocks, and keeps as much memory as was in use. */
  clear(): void {
    this.#chunks.length = Math.ceil(this.#used / blocksPerChunk);
    this.#used = 0;
    this.#free = [];
  }
}

/**
 * Texts as octets outside the garbage-collected heap: one octet a character, or two where a text has characters above U+00FF.
 * A text is known by its block and its shape, twice its length plus one when it is wide.
 */
export class KeyBlocks {
  /** By octets in grains. */
  readonly #classes: BlockClass[] = [];

  /** The shape of a text; `bits` is what its characters are or-ed together. */
  static shapeOf(text: string, bits: number): number {
    return text.length * 2 + (bits > 0xff ? 1 : 0);
  }

  /** Keeps a text and answers its block. */
  keep(text: string, shape: number): number {
    const blocks = this.#classOf(shape);
    const block = blocks.take();
    const octets = blocks.chunk(block);
    let at = blocks.start(block);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      octets[at++] = unit;
      if ((shape & 1) !== 0) octets[at++] = unit >>> 8;
    }
    return block;
  }

  /** Whether what is kept is this text. */
  holds(block: number, shape: number, text: string): boolean {
    if (shape >>> 1 !== text.length) return false;
    const blocks = this.#classOf(shape);
    const octets = blocks.chunk(block);
    let at = blocks.start(block);
    if ((shape & 1) === 0) {
      for (let i = 0; i < text.length; i++) if (octets[at++] !== text.charCodeAt(i)) return false;
      return true;
    }
    for (let i = 0; i < text.length; i++, at += 2) {
      if ((octets[at]! | (octets[at + 1]! << 8)) !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Lets a text go. */
  drop(block: number, shape: number): void {
    this.#classOf(shape).give(block);
  }

  /** Lets all texts go. */
  clear(): void {
    for (const blocks of this.#classes) blocks?.clear();
  }

  #classOf(shape: number): BlockClass {
    const octets = (shape >>> 1) << (shape & 1);
    const grains = Math.max(1, (octets + grainOctets - 1) >>> 4);
    let blocks = this.#classes[grains];
    if (blocks === undefined) {
      for (let i = this.#classes.length; i < grains; i++) this.#classes[i] = new BlockClass(i * grainOctets);
      blocks = new BlockClass(grains * grainOctets);
      this.#classes[grains] = blocks;
    }
    return blocks;
  }
}
