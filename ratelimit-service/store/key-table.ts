import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { KeyBlocks } from './key-blocks.ts';

const perChunkBits = 12;
const perChunk = 1 << perChunkBits;

/**
 * Words of an entry: the hash of its key, the next entry of its bucket, and where and what its key is. Its numbers follow, so
 * that all of it comes with one look into memory.
 */
const words = { hash: 0, next: 1, block: 2, shape: 3 } as const;
/** What the words take, in numbers. */
const wordsAsNumbers = 2;

/** The shape of an entry that is free. */
const free = 0xffff_ffff;

const firstBuckets = 1024;

/** Buckets of the old index that move into the new one with each entry that is added: done long before the next growth. */
const movedPerAdd = 4;

/** Entries that a sweep looks at for each one that is added. */
const sweptPerAdd = 8;

/** Longer keys are known by their SHA-256, so that the number of entries bounds the memory. */
const maxKeyLength = 256;

/** A part of the entries, made when it is needed: one memory, seen as words and as numbers. */
interface Chunk {
  readonly entries: Uint32Array;
  readonly numbers: Float64Array;
}

/**
 * Keys, each with some numbers, in typed arrays: no entry is an object, so that a million of them cost the garbage collector
 * nothing, whether they stay or come and go. (A Map under churn holds what it held until a full collection, see
 * `gateway/protocol/http2/stream-table.ts`.) An entry is known by its number, above 0, until it is removed. The index of
 * chains doubles when it is full, a few buckets with each entry that is added.
 */
export class KeyTable {
  /** An entry in numbers, and in words. */
  readonly #stride: number;
  readonly #wordStride: number;
  readonly #seed: number;
  readonly #keys = new KeyBlocks();
  #chunks: Chunk[] = [];
  /** Entries from this number on were never in use; 0 stands for none. */
  #used = 1;
  #free: number[] = [];
  #size = 0;
  #buckets = new Uint32Array(firstBuckets);
  /** The index before the last growth; its buckets from `#moved` on have not been moved yet. */
  #old: Uint32Array | null = null;
  #moved = 0;
  #cursor = 1;
  /** Of the key that was looked for last. */
  #hash = 0;
  #bits = 0;

  /** `width`: numbers of an entry. `seed`: 32 bits that nobody outside knows, or 0. */
  constructor(width: number, seed: number) {
    this.#stride = wordsAsNumbers + width;
    this.#wordStride = this.#stride * 2;
    this.#seed = seed;
  }

  get size(): number {
    return this.#size;
  }

  /** The entry of a key, or 0. */
  find(key: string): number {
    const text = shortened(key);
    this.#measure(text);
    const hash = this.#hash;
    for (let id = this.#head(hash); id !== 0; ) {
      const { entries } = this.#chunks[id >>> perChunkBits]!;
      const at = (id & (perChunk - 1)) * this.#wordStride;
      if (entries[at] === hash && this.#keys.holds(entries[at + words.block]!, entries[at + words.shape]!, text))
        return id;
      id = entries[at + words.next]!;
    }
    return 0;
  }

  /** Adds a key that `find` has not found; its numbers are 0. */
  add(key: string): number {
    const text = shortened(key);
    this.#measure(text);
    if (this.#old !== null) this.#moveBuckets(this.#old);
    else if (this.#size >= this.#buckets.length) this.#grow();
    const id = this.#free.pop() ?? this.#used++;
    if (id >>> perChunkBits === this.#chunks.length) {
      const numbers = new Float64Array(perChunk * this.#stride);
      this.#chunks.push({ entries: new Uint32Array(numbers.buffer), numbers });
    }
    const { entries, numbers } = this.#chunks[id >>> perChunkBits]!;
    const slot = id & (perChunk - 1);
    numbers.fill(0, slot * this.#stride, (slot + 1) * this.#stride);
    const shape = KeyBlocks.shapeOf(text, this.#bits);
    const at = slot * this.#wordStride;
    entries[at] = this.#hash;
    entries[at + words.next] = this.#head(this.#hash);
    entries[at + words.block] = this.#keys.keep(text, shape);
    entries[at + words.shape] = shape;
    this.#setHead(this.#hash, id);
    this.#size++;
    return id;
  }

  /** Removes an entry. */
  remove(id: number): void {
    const { entries } = this.#chunks[id >>> perChunkBits]!;
    const at = (id & (perChunk - 1)) * this.#wordStride;
    const hash = entries[at]!;
    const next = entries[at + words.next]!;
    let before = this.#head(hash);
    if (before === id) this.#setHead(hash, next);
    else {
      while (this.#next(before) !== id) before = this.#next(before);
      this.#chunks[before >>> perChunkBits]!.entries[(before & (perChunk - 1)) * this.#wordStride + words.next] = next;
    }
    this.#keys.drop(entries[at + words.block]!, entries[at + words.shape]!);
    entries[at + words.shape] = free;
    this.#free.push(id);
    this.#size--;
  }

  /** Where an entry's numbers are: the array, and by `offset` their place in it. */
  numbers(id: number): Float64Array {
    return this.#chunks[id >>> perChunkBits]!.numbers;
  }

  /** @see numbers */
  offset(id: number): number {
    return (id & (perChunk - 1)) * this.#stride + wordsAsNumbers;
  }

  /** Removes, of the next few entries in turn, those whose first number is not above `now`. */
  sweep(now: number, count: number = sweptPerAdd): void {
    for (let i = 0; i < count; i++) {
      if (++this.#cursor >= this.#used) this.#cursor = 1;
      const id = this.#cursor;
      if (id >= this.#used) return;
      const { entries, numbers } = this.#chunks[id >>> perChunkBits]!;
      const slot = id & (perChunk - 1);
      if (
        entries[slot * this.#wordStride + words.shape] !== free &&
        numbers[slot * this.#stride + wordsAsNumbers]! <= now
      )
        this.remove(id);
    }
  }

  /** The same with all entries. */
  sweepAll(now: number): void {
    this.sweep(now, this.#used);
  }

  /** Removes all entries, and keeps as much memory as they took. */
  clear(): void {
    if (this.#used === 1) return;
    this.#chunks.length = Math.ceil(this.#used / perChunk);
    let buckets = this.#buckets.length;
    while (buckets > firstBuckets && buckets > 2 * this.#size) buckets /= 2;
    if (buckets === this.#buckets.length) this.#buckets.fill(0);
    else this.#buckets = new Uint32Array(buckets);
    this.#old = null;
    this.#keys.clear();
    this.#used = 1;
    this.#free = [];
    this.#size = 0;
    this.#cursor = 1;
  }

  /** FNV-1a over UTF-16 units from the seed on, in two lanes since each step waits for the one before, mixed at the end. */
  #measure(text: string): void {
    const { length } = text;
    let even = 0x811c_9dc5 ^ this.#seed;
    let odd = ~even;
    let bits = 0;
    let i = 0;
    for (; i + 1 < length; i += 2) {
      const a = text.charCodeAt(i);
      const b = text.charCodeAt(i + 1);
      bits |= a | b;
      even = Math.imul(even ^ a, 0x0100_0193);
      odd = Math.imul(odd ^ b, 0x0100_0193);
    }
    if (i < length) {
      const a = text.charCodeAt(i);
      bits |= a;
      even = Math.imul(even ^ a, 0x0100_0193);
    }
    let hash = Math.imul(even ^ (even >>> 15), 0x85eb_ca6b) ^ Math.imul(odd ^ (odd >>> 13), 0xc2b2_ae35) ^ length;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    this.#hash = (hash ^ (hash >>> 13)) >>> 0;
    this.#bits = bits;
  }

  #next(id: number): number {
    return this.#chunks[id >>> perChunkBits]!.entries[(id & (perChunk - 1)) * this.#wordStride + words.next]!;
  }

  #head(hash: number): number {
    const old = this.#old;
    if (old !== null) {
      const bucket = hash & (old.length - 1);
      if (bucket >= this.#moved) return old[bucket]!;
    }
    return this.#buckets[hash & (this.#buckets.length - 1)]!;
  }

  #setHead(hash: number, id: number): void {
    const old = this.#old;
    if (old !== null) {
      const bucket = hash & (old.length - 1);
      if (bucket >= this.#moved) {
        old[bucket] = id;
        return;
      }
    }
    this.#buckets[hash & (this.#buckets.length - 1)] = id;
  }

  #grow(): void {
    this.#old = this.#buckets;
    this.#buckets = new Uint32Array(this.#old.length * 2);
    this.#moved = 0;
  }

  #moveBuckets(old: Uint32Array): void {
    const buckets = this.#buckets;
    const mask = buckets.length - 1;
    const end = Math.min(old.length, this.#moved + movedPerAdd);
    for (; this.#moved < end; this.#moved++) {
      for (let id = old[this.#moved]!; id !== 0; ) {
        const { entries } = this.#chunks[id >>> perChunkBits]!;
        const at = (id & (perChunk - 1)) * this.#wordStride;
        const next = entries[at + words.next]!;
        const bucket = entries[at]! & mask;
        entries[at + words.next] = buckets[bucket]!;
        buckets[bucket] = id;
        id = next;
      }
    }
    if (this.#moved === old.length) this.#old = null;
  }
}

function shortened(key: string): string {
  if (key.length <= maxKeyLength) return key;
  return `\u0000sha256 ${createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('base64')}`;
}
