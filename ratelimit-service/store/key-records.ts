/** Octets that records are rounded up to: a record's place is counted in grains. */
const grainOctets = 16;
const grainsPerChunkBits = 14;
const grainsPerChunk = 1 << grainsPerChunkBits;

/** The shape of a record that is free. */
const free = 0xffff_ffff;

/** Octets of a record's hash and shape. */
const headOctets = 8;

/** Records of one length, in one memory that is seen in three ways. */
interface Chunk {
  readonly words: Uint32Array;
  readonly numbers: Float64Array;
  readonly octets: Uint8Array;
  /** Grains of a record. */
  grains: number;
  /** Grains that were ever in use. */
  used: number;
}

/** Records of one length: those that were freed are used again first. */
interface RecordClass {
  /** The number of the chunk that is not full yet; 0 for none. */
  chunk: number;
  /** The free record, in whose hash the next one is; 0 for none. */
  free: number;
}

/**
 * Records of a key, its hash and some numbers, side by side outside the garbage-collected heap: with keys of usual length a record
 * is one cache line. A record is known by its number, above 0, until it is removed. Its key is of one octet a character, or two where
 * it has characters above U+00FF; its shape is twice the length, plus one when it is wide.
 */
export class KeyRecords {
  readonly #width: number;
  /** Where the key begins, octets. */
  readonly #keyAt: number;
  /** By grains. */
  readonly #classes: RecordClass[] = [];
  /** None has the number 0, so that no record has. */
  #chunks: Chunk[] = [noChunk];
  /** Of chunks that were let go, to be used again. */
  #spare: Chunk[] = [];
  /** The record that a sweep looked at last. */
  #cursor = 0;

  /** `width`: numbers of a record. */
  constructor(width: number) {
    this.#width = width;
    this.#keyAt = width * 8 + headOctets;
  }

  /** The shape of a text; `bits` is what its characters are or-ed together. */
  static shapeOf(text: string, bits: number): number {
    return text.length * 2 + (bits > 0xff ? 1 : 0);
  }

  /** Makes a record; its numbers are 0. */
  add(text: string, shape: number, hash: number): number {
    const id = this.#take((this.#keyAt + ((shape >>> 1) << (shape & 1)) + grainOctets - 1) >>> 4);
    const { words, numbers, octets } = this.#chunks[id >>> grainsPerChunkBits]!;
    const grain = id & (grainsPerChunk - 1);
    const number = grain * 2;
    for (let i = 0; i < this.#width; i++) numbers[number + i] = 0;
    const head = (number + this.#width) * 2;
    words[head] = hash;
    words[head + 1] = shape;
    let at = grain * grainOctets + this.#keyAt;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      octets[at++] = unit;
      if ((shape & 1) !== 0) octets[at++] = unit >>> 8;
    }
    return id;
  }

  /** Whether a record is of this text, which has this shape. */
  holds(id: number, text: string, shape: number): boolean {
    const { words, octets } = this.#chunks[id >>> grainsPerChunkBits]!;
    const grain = id & (grainsPerChunk - 1);
    if (words[(grain * 2 + this.#width) * 2 + 1] !== shape) return false;
    let at = grain * grainOctets + this.#keyAt;
    if ((shape & 1) === 0) {
      for (let i = 0; i < text.length; i++) if (octets[at++] !== text.charCodeAt(i)) return false;
      return true;
    }
    for (let i = 0; i < text.length; i++, at += 2) {
      if ((octets[at]! | (octets[at + 1]! << 8)) !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  hash(id: number): number {
    return this.#chunks[id >>> grainsPerChunkBits]!.words[this.#head(id)]!;
  }

  /** Where a record's numbers are: the array, and by `offset` their place in it. */
  numbers(id: number): Float64Array {
    return this.#chunks[id >>> grainsPerChunkBits]!.numbers;
  }

  /** @see numbers */
  offset(id: number): number {
    return (id & (grainsPerChunk - 1)) * 2;
  }

  remove(id: number): void {
    const { words, grains } = this.#chunks[id >>> grainsPerChunkBits]!;
    const records = this.#classes[grains]!;
    const head = this.#head(id);
    words[head] = records.free;
    words[head + 1] = free;
    records.free = id;
  }

  /** Goes round all records, one with each call; 0 where one is free. */
  nextInTurn(): number {
    let chunk = this.#cursor >>> grainsPerChunkBits;
    let grain = (this.#cursor & (grainsPerChunk - 1)) + this.#chunks[chunk]!.grains;
    if (grain >= this.#chunks[chunk]!.used) {
      chunk = chunk + 1 < this.#chunks.length ? chunk + 1 : Math.min(1, this.#chunks.length - 1);
      grain = 0;
    }
    if (chunk === 0) return 0;
    this.#cursor = ((chunk << grainsPerChunkBits) | grain) >>> 0;
    return this.#chunks[chunk]!.words[this.#head(this.#cursor) + 1] === free ? 0 : this.#cursor;
  }

  /** Removes all records, and keeps as much memory as they took. */
  clear(): void {
    this.#spare = this.#chunks.slice(1);
    this.#chunks = [noChunk];
    this.#classes.length = 0;
    this.#cursor = 0;
  }

  #head(id: number): number {
    return ((id & (grainsPerChunk - 1)) * 2 + this.#width) * 2;
  }

  #take(grains: number): number {
    for (let i = this.#classes.length; i <= grains; i++) this.#classes.push({ chunk: 0, free: 0 });
    const records = this.#classes[grains]!;
    const freed = records.free;
    if (freed !== 0) {
      records.free = this.hash(freed);
      return freed;
    }
    if (this.#chunks[records.chunk]!.used + grains > grainsPerChunk || records.chunk === 0) {
      records.chunk = this.#chunks.length;
      this.#chunks.push(this.#chunkOf(grains));
    }
    const chunk = this.#chunks[records.chunk]!;
    const id = ((records.chunk << grainsPerChunkBits) | chunk.used) >>> 0;
    chunk.used += grains;
    return id;
  }

  #chunkOf(grains: number): Chunk {
    const chunk = this.#spare.pop() ?? newChunk(grainsPerChunk * grainOctets);
    chunk.grains = grains;
    chunk.used = 0;
    return chunk;
  }
}

function newChunk(octets: number): Chunk {
  const memory = new ArrayBuffer(octets);
  const words = new Uint32Array(memory);
  return { words, numbers: new Float64Array(memory), octets: new Uint8Array(memory), grains: 0, used: 0 };
}

const noChunk: Chunk = newChunk(0);
